#pragma once
// Root file systems with package databases and ELF programs, as small as the search for twins takes them.
#include <elf.h>
#include <sys/stat.h>

#include <cstring>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/checksum.h"
#include "base/files.h"
#include "base/rooted.h"
#include "base/strings.h"

namespace slipway {

struct MadeUpElf {
  std::uint16_t machine = EM_X86_64;
  std::string interpreter = "/lib64/ld-linux-x86-64.so.2";  ///< empty: static, or a library
  std::vector<std::string> needed;
  std::string rpath;
  std::string text = "just a program";  ///< in its one loaded segment

  std::string bytes() const {
    constexpr std::size_t kHeaders = sizeof(Elf64_Ehdr) + 3 * sizeof(Elf64_Phdr);
    std::string strings(1, '\0');
    const auto add = [&](const std::string& value) {
      const std::size_t at = strings.size();
      strings += value + '\0';
      return at;
    };
    std::vector<Elf64_Dyn> dynamic;
    for (const std::string& name : needed) dynamic.push_back({DT_NEEDED, {add(name)}});
    if (!rpath.empty()) dynamic.push_back({DT_RPATH, {add(rpath)}});
    const std::size_t table = kHeaders;
    const std::size_t table_size = (dynamic.size() + 3) * sizeof(Elf64_Dyn);
    const std::size_t strings_at = table + table_size;
    dynamic.push_back({DT_STRTAB, {strings_at}});
    dynamic.push_back({DT_STRSZ, {strings.size()}});
    dynamic.push_back({DT_NULL, {0}});
    const std::size_t interpreter_at = strings_at + strings.size();
    std::string rest = strings + interpreter + '\0' + text + '\0';
    const std::size_t size = strings_at + rest.size();
    Elf64_Ehdr header{};
    std::memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS64;
    header.e_ident[EI_DATA] = ELFDATA2LSB;
    header.e_type = ET_DYN;
    header.e_machine = machine;
    header.e_phoff = sizeof header;
    header.e_phentsize = sizeof(Elf64_Phdr);
    header.e_phnum = interpreter.empty() ? 2 : 3;
    const auto segment = [](std::uint32_t type, std::size_t at, std::size_t length) {
      return Elf64_Phdr{.p_type = type,
                        .p_flags = PF_R,
                        .p_offset = at,
                        .p_vaddr = at,
                        .p_paddr = at,
                        .p_filesz = length,
                        .p_memsz = length,
                        .p_align = 1};
    };
    const Elf64_Phdr segments[3] = {segment(PT_LOAD, 0, size), segment(PT_DYNAMIC, table, table_size),
                                    segment(PT_INTERP, interpreter_at, interpreter.size() + 1)};
    std::string out(reinterpret_cast<const char*>(&header), sizeof header);
    out.append(reinterpret_cast<const char*>(segments), sizeof segments);
    out.append(reinterpret_cast<const char*>(dynamic.data()), table_size);
    return out + rest;
  }
};

class MadeUpRoot {
 public:
  std::filesystem::path path() const { return directory_.path() / "root"; }
  std::filesystem::path at(std::string_view file) const { return path().native() + std::string(file); }

  MadeUpRoot() { std::filesystem::create_directories(at("/var/lib/dpkg/info")); }

  void write(std::string_view file, std::string_view bytes, unsigned mode = 0644) const {
    std::filesystem::create_directories(at(file).parent_path());
    write_file_atomic(at(file), bytes, Durability::None, mode);
  }
  void link(std::string_view file, std::string_view target) const {
    std::filesystem::create_directories(at(file).parent_path());
    std::filesystem::create_symlink(target, at(file));
  }
  /// Adds to dpkg's database a package with these files, and the files themselves; "Multi-Arch: same" for
  /// packages called lib*.
  void install(const std::string& name, const std::string& version, const std::string& architecture,
               const std::map<std::string, std::string>& files) {
    status_ += concat("Package: ", name, "\nStatus: install ok installed\nArchitecture: ", architecture,
                      "\nVersion: ", version, "\nDescription: made up\n of lines\n\n");
    write("/var/lib/dpkg/status", status_);
    std::string list = "/.\n/usr\n", sums;
    for (const auto& [file, bytes] : files) {
      list += file + '\n';
      sums += concat(checksum_of(ChecksumKind::Md5, bytes).hex, "  ", file.substr(1), '\n');
      write(file, bytes, 0755);
    }
    const std::string stem =
        "/var/lib/dpkg/info/" + name + (name.starts_with("lib") ? ":" + architecture : "");
    write(stem + ".list", list);
    write(stem + ".md5sums", sums);
  }
  /// The same in apk's database.
  void install_apk(const std::string& name, const std::string& version, const std::string& architecture,
                   const std::map<std::string, std::string>& files) {
    installed_ += concat("P:", name, "\nV:", version, "\nA:", architecture, '\n');
    for (const auto& [file, bytes] : files) {
      const std::size_t slash = file.rfind('/');
      std::string sum;  // as bytes
      const std::string hex = checksum_of(ChecksumKind::Sha1, bytes).hex;
      for (std::size_t i = 0; i < hex.size(); i += 2)
        sum.push_back(static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
      installed_ += concat("F:", file.substr(1, slash - 1), "\nR:", file.substr(slash + 1), "\nZ:Q1",
                           base64_encode(sum), '\n');
      write(file, bytes, 0755);
    }
    installed_ += '\n';
    write("/lib/apk/db/installed", installed_);
  }

 private:
  TempDir directory_;
  std::string status_, installed_;
};

}  // namespace slipway
