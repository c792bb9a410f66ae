#pragma once
// What the search for twins reads of a whole ELF program: its segments, what it asks its loader for. 64-bit
// little-endian programs only: those of other machines have no twins (siblings.h). What is read here comes
// from images that strangers made: every offset is checked.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace slipway {

class ElfImage {
 public:
  struct Segment {
    std::uint32_t type = 0, flags = 0;
    std::uint64_t offset = 0, address = 0, file_size = 0, memory_size = 0, alignment = 0;
    bool contains(std::uint64_t at) const { return at >= address && at - address < file_size; }
  };

  /// Nothing for what is not a whole program or library of that class.
  static std::optional<ElfImage> parse(std::string bytes);

  const std::string& bytes() const { return bytes_; }
  std::uint16_t machine() const { return machine_; }
  bool is_position_independent() const { return type_ == 3; }
  const std::vector<Segment>& segments() const { return segments_; }
  /// PT_INTERP; empty for a static program or a library.
  const std::string& interpreter() const { return interpreter_; }
  const std::vector<std::string>& needed() const { return needed_; }
  /// DT_RPATH, which a loader looks at before any other path; empty: none.
  const std::string& rpath() const { return rpath_; }
  /// DT_RUNPATH, which it looks at after the library path.
  const std::string& runpath() const { return runpath_; }
  /// DT_RELR: relocations whose addends are in the data itself.
  bool has_packed_relocations() const { return has_packed_relocations_; }
  struct Table {
    std::uint64_t offset = 0, size = 0;  ///< in the file; whole entries, checked
  };
  const std::optional<Table>& relocations() const { return relocations_; }  ///< DT_RELA
  /// Where an exported function's code is in the file.
  std::optional<Table> function(std::string_view name) const;

  /// The bytes of a loaded segment that are in the file.
  std::string_view contents(const Segment& segment) const {
    return std::string_view(bytes_).substr(segment.offset, segment.file_size);
  }
  /// Where an address is in the file.
  std::optional<std::uint64_t> offset_of(std::uint64_t address) const;

 private:
  ElfImage() = default;
  bool read();
  bool read_dynamic(const Segment& dynamic);
  std::string bytes_;
  std::uint16_t machine_ = 0, type_ = 0;
  std::vector<Segment> segments_;
  std::string interpreter_, rpath_, runpath_;
  std::vector<std::string> needed_;
  std::optional<Table> relocations_, symbols_, symbol_names_;
  bool has_packed_relocations_ = false;
};

}  // namespace slipway
