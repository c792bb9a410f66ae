// dpkg's database (dpkg(1), deb-control(5)): /var/lib/dpkg/status holds a paragraph a package, info/ its
// lists of files and their MD5 sums. Distroless images have a file a package in status.d/ instead, and no
// lists.
#include <dirent.h>
#include <unistd.h>

#include <algorithm>
#include <set>

#include "accel/packages.h"
#include "base/error.h"
#include "base/strings.h"

namespace slipway {
namespace {

constexpr std::size_t kStatusLimit = std::size_t{64} << 20;
constexpr std::size_t kListLimit = std::size_t{16} << 20;
constexpr std::size_t kPackageLimit = 20'000;

/// Calls `use` with each line, without its end.
template <class Use>
void for_each_line(std::string_view text, Use use) {
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    use(text.substr(0, end));
    if (end == std::string_view::npos) return;
    text.remove_prefix(end + 1);
  }
}

bool is_package_name(std::string_view name) {
  return name.size() > 1 && name.size() < 200 &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789+-.") == std::string_view::npos &&
         name.front() != '.';
}

struct Paragraph {
  std::string name, version, architecture, status;
  bool is_damaged = false;

  void take(std::string_view line) {
    if (line.starts_with(' ') || line.starts_with('\t')) return;
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) {
      is_damaged = true;
      return;
    }
    const std::string_view key = line.substr(0, colon);
    const std::string_view value = trim(line.substr(colon + 1));
    for (const auto& [field, place] : {std::pair<std::string_view, std::string*>{"Package", &name},
                                       {"Version", &version},
                                       {"Architecture", &architecture},
                                       {"Status", &status}}) {
      if (key != field) continue;
      if (!place->empty()) is_damaged = true;
      *place = value;
    }
  }
  bool is_usable() const {
    return !is_damaged && is_package_name(name) && !version.empty() && version.size() < 200;
  }
  /// "install ok installed", also hold, also unpacked: all files are those of this version; not
  /// half-configured, not "reinst-required".
  bool is_installed() const {
    return status == "install ok installed" || status == "hold ok installed" ||
           status == "install ok unpacked";
  }
};

class DpkgDatabase final : public PackageDatabase {
 public:
  DpkgDatabase(const RootedDir& root, std::string architecture)
      : PackageDatabase(Kind::Dpkg, root), architecture_(std::move(architecture)) {}

  bool read() {
    const bool has_status = read_status();
    const bool has_parts = read_parts();
    return (has_status || has_parts) && read_diversions() && !entries_.empty();
  }

 private:
  bool read_status() {
    const auto text = read_regular(root_, "/var/lib/dpkg/status", kStatusLimit);
    if (!text) return false;
    Paragraph paragraph;
    const auto finish = [&] {
      if (paragraph.is_usable() && paragraph.is_installed() && paragraph.architecture == architecture_)
        add_package(paragraph, "/var/lib/dpkg/info/");
      paragraph = {};
    };
    for_each_line(*text, [&](std::string_view line) {
      if (line.empty())
        finish();
      else
        paragraph.take(line);
    });
    finish();
    return true;
  }

  bool read_parts() {
    std::optional<UniqueFd> directory;
    try {
      directory = root_.try_open("/var/lib/dpkg/status.d", O_RDONLY | O_DIRECTORY);
    } catch (const SystemError&) {
      return false;
    }
    if (!directory) return false;
    const std::unique_ptr<DIR, int (*)(DIR*)> listing(::fdopendir(directory->get()), &::closedir);
    if (!listing) return false;
    directory->release();
    std::set<std::string> names;
    while (const dirent* entry = ::readdir(listing.get())) {
      if (is_package_name(entry->d_name) && !std::string_view(entry->d_name).ends_with(".md5sums"))
        names.insert(entry->d_name);
      if (names.size() > kPackageLimit) return false;
    }
    for (const std::string& name : names) {
      const auto text = read_regular(root_, concat("/var/lib/dpkg/status.d/", name), 1 << 20);
      if (!text) continue;
      Paragraph paragraph;
      for_each_line(*text, [&](std::string_view line) {
        if (!line.empty()) paragraph.take(line);
      });
      if (!paragraph.is_usable() || paragraph.architecture != architecture_) continue;
      add({.package = {paragraph.name, paragraph.version, paragraph.architecture},
           .list = {},
           .checksums = concat("/var/lib/dpkg/status.d/", name, ".md5sums"),
           .files = {}});
    }
    return true;
  }

  void add_package(const Paragraph& paragraph, std::string_view directory) {
    if (entries_.size() >= kPackageLimit) return;
    // Packages that can be installed for several architectures at once ("Multi-Arch: same") have the
    // architecture in their files' names.
    std::string stem = concat(directory, paragraph.name, ':', paragraph.architecture);
    if (!is_there(stem + ".list")) stem = concat(directory, paragraph.name);
    add({.package = {paragraph.name, paragraph.version, paragraph.architecture},
         .list = stem + ".list",
         .checksums = stem + ".md5sums",
         .files = {}});
  }

  bool is_there(const std::string& path) {
    if (!info_names_) {
      info_names_.emplace();
      try {
        if (auto directory = root_.try_open("/var/lib/dpkg/info", O_RDONLY | O_DIRECTORY)) {
          const std::unique_ptr<DIR, int (*)(DIR*)> listing(::fdopendir(directory->get()), &::closedir);
          if (listing) directory->release();
          while (const dirent* entry = listing ? ::readdir(listing.get()) : nullptr) {
            if (info_names_->size() < 20 * kPackageLimit) info_names_->insert(entry->d_name);
          }
        }
      } catch (const SystemError&) {
        // No lists: no package's files are known.
      }
    }
    return info_names_->contains(path.substr(path.rfind('/') + 1));
  }

  /// dpkg-divert(1): three lines each: the path, where it is put instead, the package that may have it.
  bool read_diversions() {
    struct stat status {};
    try {
      const auto found = root_.stat("/var/lib/dpkg/diversions", true);
      if (!found) return true;
      status = *found;
    } catch (const SystemError&) {
      return false;
    }
    const auto text = read_regular(root_, "/var/lib/dpkg/diversions", kListLimit);
    if (!text) return false;
    int line_number = 0;
    for_each_line(*text, [&](std::string_view line) {
      if (line_number++ % 3 != 2 && is_clean_path(line)) diverted_.insert(directories_.canonical(line));
    });
    return line_number % 3 == 0;
  }

  Files read_files(const Entry& entry) override {
    Files files;
    const auto sums = read_regular(root_, entry.checksums, kListLimit);
    if (!sums) return files;
    std::set<std::string> twice;
    for_each_line(*sums, [&](std::string_view line) {
      // "2a76f5df90ba1375b6e6d825c4a28b2d  bin/bash"
      if (line.size() < 35 || line.substr(32, 2) != "  ") return;
      const std::string_view hex = line.substr(0, 32);
      if (hex.find_first_not_of("0123456789abcdef") != std::string_view::npos) return;
      const std::string path = concat('/', line.substr(line.substr(34).starts_with("./") ? 36 : 34));
      if (!is_clean_path(path)) return;
      std::string canonical = directories_.canonical(path);
      if (diverted_.contains(canonical)) return;
      if (!files.emplace(canonical, Checksum{.kind = ChecksumKind::Md5, .hex = std::string(hex)}).second)
        twice.insert(std::move(canonical));
    });
    for (const std::string& path : twice) files.erase(path);
    if (!entry.list.empty()) keep_listed(files, entry.list);
    return files;
  }

  /// The sums stay as they came with the package; a file that another package took over ("Replaces") is gone
  /// from the list only.
  void keep_listed(Files& files, const std::string& list) {
    const auto text = read_regular(root_, list, kListLimit);
    if (!text) return files.clear();
    std::set<std::string> listed;
    for_each_line(*text, [&](std::string_view line) {
      if (is_clean_path(line)) listed.insert(directories_.canonical(line));
    });
    std::erase_if(files, [&](const auto& file) { return !listed.contains(file.first); });
  }

  std::string architecture_;
  std::optional<std::set<std::string>> info_names_;
  std::set<std::string> diverted_;
};

}  // namespace

std::string_view without_rebuild(std::string_view version) {
  const std::size_t last = version.find_last_not_of("0123456789");
  if (last == std::string_view::npos || last < 2 || last + 1 == version.size()) return version;
  return version.substr(last - 1, 2) == "+b" ? version.substr(0, last - 1) : version;
}

std::unique_ptr<PackageDatabase> open_dpkg(const RootedDir& root, const Platform& platform) {
  const auto architecture = debian_architecture(platform);
  if (!architecture) return nullptr;
  auto database = std::make_unique<DpkgDatabase>(root, *architecture);
  return database->read() ? std::move(database) : nullptr;
}

}  // namespace slipway
