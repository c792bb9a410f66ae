// apk's database of installed packages: paragraphs of one-letter fields. P: name, V: version, A:
// architecture; then F: a directory, R: a file in it, Z: that file's checksum ("Q1" and its SHA-1 in base64),
// a: its owner and mode.
#include <array>

#include "accel/packages.h"
#include "base/strings.h"

namespace slipway {
namespace {

constexpr std::size_t kDatabaseLimit = std::size_t{64} << 20;

/// What Alpine calls the platform; nothing if it has no such port.
std::optional<std::string_view> alpine_architecture(const Platform& platform) {
  struct Name {
    std::string_view architecture, variant, alpine;
  };
  static constexpr std::array<Name, 9> kNames = {{{"amd64", "", "x86_64"},
                                                  {"arm64", "", "aarch64"},
                                                  {"386", "", "x86"},
                                                  {"arm", "v7", "armv7"},
                                                  {"arm", "v6", "armhf"},
                                                  {"ppc64le", "", "ppc64le"},
                                                  {"s390x", "", "s390x"},
                                                  {"riscv64", "", "riscv64"},
                                                  {"loong64", "", "loongarch64"}}};
  for (const Name& name : kNames) {
    if (name.architecture == platform.architecture() &&
        (name.variant.empty() || name.variant == platform.variant()))
      return name.alpine;
  }
  return std::nullopt;
}

std::optional<Checksum> parse_checksum(std::string_view text) {
  if (!text.starts_with("Q1") || text.size() != 30) return std::nullopt;
  const std::string raw = base64_decode(text.substr(2));
  if (raw.size() != 20) return std::nullopt;
  return Checksum{.kind = ChecksumKind::Sha1, .hex = to_hex(raw)};
}

class ApkDatabase final : public PackageDatabase {
 public:
  explicit ApkDatabase(const RootedDir& root) : PackageDatabase(Kind::Apk, root) {}

  bool read(std::string_view architecture) {
    auto text = read_regular(root_, "/lib/apk/db/installed", kDatabaseLimit);
    if (!text) text = read_regular(root_, "/usr/lib/apk/db/installed", kDatabaseLimit);
    if (!text) return false;
    architecture_ = architecture;
    std::string_view rest = *text;
    while (!rest.empty()) {
      const std::size_t end = rest.find('\n');
      const std::string_view line = rest.substr(0, end);
      if (line.empty())
        finish();
      else
        take(line);
      rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    }
    finish();
    return !entries_.empty();
  }

 private:
  void take(std::string_view line) {
    if (line.size() < 2 || line[1] != ':') {
      is_damaged_ = true;
      return;
    }
    const std::string_view value = line.substr(2);
    switch (line[0]) {
      case 'P':
        set(current_.name, value);
        break;
      case 'V':
        set(current_.version, value);
        break;
      case 'A':
        set(current_.architecture, value);
        break;
      case 'F':
        directory_ = value;
        file_.clear();
        break;
      case 'R':
        file_.clear();
        if (const std::string path =
                directory_.empty() ? concat('/', value) : concat('/', directory_, '/', value);
            is_clean_path(path) && value.find('/') == std::string_view::npos) {
          file_ = directories_.canonical(path);
          if (!files_.emplace(file_, std::nullopt).second) is_damaged_ = true;
        }
        break;
      case 'Z':
        if (!file_.empty()) files_[file_] = parse_checksum(value);
        break;
      default:
        break;
    }
  }

  void set(std::string& field, std::string_view value) {
    if (!field.empty() || value.empty() || value.size() > 200) is_damaged_ = true;
    field = value;
  }

  void finish() {
    if (!is_damaged_ && !current_.name.empty() && !current_.version.empty() &&
        current_.architecture == architecture_)
      add({.package = current_, .list = {}, .checksums = {}, .files = std::move(files_)});
    current_ = {};
    files_ = {};
    directory_.clear();
    file_.clear();
    is_damaged_ = false;
  }

  std::string architecture_;
  Package current_;
  Files files_;
  std::string directory_, file_;
  bool is_damaged_ = false;
};

}  // namespace

std::unique_ptr<PackageDatabase> open_apk(const RootedDir& root, const Platform& platform) {
  const auto architecture = alpine_architecture(platform);
  if (!architecture) return nullptr;
  auto database = std::make_unique<ApkDatabase>(root);
  return database->read(*architecture) ? std::move(database) : nullptr;
}

}  // namespace slipway
