#include "qemu/binfmt.h"

#include <algorithm>

#include "base/error.h"
#include "base/files.h"
#include "base/strings.h"

namespace slipway {
namespace fs = std::filesystem;

namespace {

constexpr std::uint8_t kExecutable = 2;           // ET_EXEC
constexpr std::uint8_t kPositionIndependent = 3;  // ET_DYN
// The kernel reads a registration of at most this many bytes (MAX_REGISTER_LENGTH).
constexpr std::size_t kMaxRegistration = 1920;

// Every byte as \xHH: magic and mask hold zeros, which would end the kernel's string.
std::string escape(std::string_view bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    out += concat("\\x", digits[byte >> 4], digits[byte & 15]);
  }
  return out;
}

std::optional<std::string> unhex(std::string_view text) {
  if (text.size() % 2 != 0) return std::nullopt;
  const auto digit = [](char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
  };
  std::string bytes;
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const int high = digit(text[i]), low = digit(text[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    bytes += static_cast<char>(high * 16 + low);
  }
  return bytes;
}

// The directory's own two files and what nobody may read are left aside.
std::vector<BinfmtEntry> read_entries(const fs::path& directory) {
  std::vector<BinfmtEntry> entries;
  std::error_code problem;
  for (fs::directory_iterator it(directory, problem), end; !problem && it != end; it.increment(problem)) {
    const std::string name = it->path().filename();
    if (name == "register" || name == "status") continue;
    try {
      if (auto entry = parse_binfmt_entry(read_file(it->path(), 65536))) {
        entry->name = name;
        entries.push_back(std::move(*entry));
      }
    } catch (const Error&) {  // vanished meanwhile, or not ours to read: as if it were not there
    }
  }
  return entries;
}

}  // namespace

BinfmtPattern binfmt_pattern(const ElfTarget& target) {
  BinfmtPattern pattern{.magic = elf_header(target, kExecutable), .mask = std::string(20, '\xff')};
  pattern.mask[7] = '\x00';                                  // EI_OSABI
  if (target.any_abi_version) pattern.mask[8] = '\xfe';      // EI_ABIVERSION
  pattern.mask[target.is_little_endian ? 16 : 17] = '\xfe';  // e_type: 2 or 3
  return pattern;
}

std::string registration_line(std::string_view name, const ElfTarget& target, const fs::path& interpreter,
                              std::string_view flags) {
  const std::string& path = interpreter.native();
  constexpr std::string_view separators = ":|,;!";
  const auto separator = std::find_if(separators.begin(), separators.end(),
                                      [&](char c) { return path.find(c) == std::string::npos; });
  const bool printable = path.find('\n') == std::string::npos;
  if (separator == separators.end() || !printable || !interpreter.is_absolute())
    throw HostError(concat("the path of the emulator, ", path, ", cannot be registered with the kernel"));
  const char s = *separator;
  const BinfmtPattern pattern = binfmt_pattern(target);
  const std::string line =
      concat(s, name, s, 'M', s, s, escape(pattern.magic), s, escape(pattern.mask), s, path, s, flags);
  if (line.size() > kMaxRegistration) throw HostError(concat("the path of the emulator is too long: ", path));
  return line;
}

std::optional<BinfmtEntry> parse_binfmt_entry(std::string_view text) {
  BinfmtEntry entry;
  bool has_interpreter = false;
  for (const std::string& line : split(text, '\n')) {
    const std::size_t space = line.find(' ');
    const std::string key = line.substr(0, space);
    const std::string value = space == std::string::npos ? "" : std::string(trim(line.substr(space + 1)));
    if (key == "enabled") entry.enabled = true;
    if (key == "flags:") entry.flags = value;
    if (key == "interpreter") {
      entry.interpreter = value;
      has_interpreter = true;
    }
    if (key == "offset") {
      const auto offset = parse_unsigned(value);
      if (!offset) return std::nullopt;
      entry.offset = static_cast<std::size_t>(*offset);
    }
    if (key == "magic" || key == "mask") {
      const auto bytes = unhex(value);
      if (!bytes) return std::nullopt;
      (key == "magic" ? entry.magic : entry.mask) = *bytes;
    }
  }
  if (!has_interpreter || (!entry.mask.empty() && entry.mask.size() != entry.magic.size()))
    return std::nullopt;
  return entry;
}

bool matches(const BinfmtEntry& entry, std::string_view header) {
  if (!entry.enabled || entry.magic.empty()) return false;
  if (entry.offset > header.size() || entry.magic.size() > header.size() - entry.offset) return false;
  for (std::size_t i = 0; i < entry.magic.size(); ++i) {
    const int mask = entry.mask.empty() ? 0xff : static_cast<unsigned char>(entry.mask[i]);
    if ((static_cast<unsigned char>(header[entry.offset + i] ^ entry.magic[i]) & mask) != 0) return false;
  }
  return true;
}

std::optional<BinfmtEntry> find_host_entry(const fs::path& binfmt_directory, const ElfTarget& target) {
  const auto status = read_file_if_exists(binfmt_directory / "status");
  if (!status || trim(*status) != "enabled") return std::nullopt;
  std::optional<BinfmtEntry> found;
  for (BinfmtEntry& entry : read_entries(binfmt_directory)) {
    const bool fixed = matches(entry, elf_header(target, kExecutable));
    const bool moving = matches(entry, elf_header(target, kPositionIndependent));
    if (!fixed && !moving) continue;
    if (fixed != moving || entry.flags.find('F') == std::string::npos) return std::nullopt;
    found = std::move(entry);
  }
  return found;
}

}  // namespace slipway
