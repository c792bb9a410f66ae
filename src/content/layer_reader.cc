// Two libarchive readers in a row: the first only decompresses ("raw" format), the second parses the tar. In
// between every byte passes the digest: a diff_id covers the whole uncompressed stream, and a tar reader
// alone would stop at the end-of-archive marker and say nothing of what comes after it.
#include "content/layer_reader.h"

#include <archive.h>
#include <archive_entry.h>
#include <unistd.h>

#include <cerrno>
#include <exception>
#include <limits>
#include <optional>

#include "base/error.h"
#include "base/strings.h"
#include "content/archive_locale.h"
#include "content/background_hash.h"
#include "content/file_bytes.h"

namespace slipway {
namespace {

constexpr std::size_t kBlock = std::size_t{1} << 18;
constexpr std::size_t kLongestName = 255, kLongestPath = 4095;  // NAME_MAX, PATH_MAX
constexpr int kMostAttributes = 1000;

struct ArchiveReader {
  archive* handle = archive_read_new();
  ArchiveReader() = default;
  ArchiveReader(const ArchiveReader&) = delete;
  ArchiveReader& operator=(const ArchiveReader&) = delete;
  ~ArchiveReader() { archive_read_free(handle); }
  std::string error() const {
    const char* text = archive_error_string(handle);
    return text ? text : "unknown error";
  }
};

std::uint64_t owner_id(la_int64_t id, const std::string& name) {
  if (id < 0 || id >= std::numeric_limits<std::uint32_t>::max())
    throw InvalidInput(concat("entry \"", name, "\": ", id, " is no owner's id"));
  return static_cast<std::uint64_t>(id);
}

/// By the first bytes, as docker tells; 0 for a plain file. One filter, not libarchive's choice: that would
/// also see through what is compressed twice.
int archive_filter_of(int fd) {
  using namespace std::string_view_literals;
  char first[8] = {};
  const ssize_t n = ::pread(fd, first, sizeof first, 0);
  const std::string_view bytes(first, n < 0 ? 0 : static_cast<std::size_t>(n));
  if (bytes.starts_with("BZh"sv)) return ARCHIVE_FILTER_BZIP2;
  if (bytes.starts_with("\x1f\x8b\x08"sv)) return ARCHIVE_FILTER_GZIP;
  if (bytes.starts_with("\xfd\x37zXZ\0"sv)) return ARCHIVE_FILTER_XZ;
  const bool skippable =
      bytes.size() == 8 && (first[0] & 0xF0) == 0x50 && bytes.substr(1, 3) == "\x2a\x4d\x18"sv;
  if (skippable || bytes.starts_with("\x28\xb5\x2f\xfd"sv)) return ARCHIVE_FILTER_ZSTD;
  return 0;
}

/// A tar's header has the sum of its own bytes in octal, with blanks in the sum's place.
bool is_tar_header(std::string_view block) {
  constexpr std::size_t kSumAt = 148, kSumSize = 8;
  std::int64_t sum = 0, signed_sum = 0;  // of old tars that took chars for signed
  for (std::size_t i = 0; i < block.size(); ++i) {
    const char c = i >= kSumAt && i < kSumAt + kSumSize ? ' ' : block[i];
    sum += static_cast<unsigned char>(c);
    signed_sum += static_cast<signed char>(c);
  }
  std::int64_t given = 0;
  bool any = false;
  for (const char c : block.substr(kSumAt, kSumSize)) {
    if (c >= '0' && c <= '7') {
      given = given * 8 + (c - '0');
      any = true;
    } else if (any || (c != ' ' && c != '\0')) {
      if (c != ' ' && c != '\0') return false;
      break;
    }
  }
  return any && (given == sum || given == signed_sum);
}

}  // namespace

std::string clean_entry_name(std::string_view name) {
  std::string clean;
  for (const std::string& part : split(name, '/')) {
    if (part.empty() || part == ".") continue;
    if (part == "..") throw InvalidInput(concat("entry \"", name, "\": the name leads out of its directory"));
    if (part.size() > kLongestName) throw InvalidInput(concat("entry \"", name, "\": the name is too long"));
    if (!clean.empty()) clean += '/';
    clean += part;
  }
  if (clean.size() > kLongestPath)
    throw InvalidInput(concat("entry \"", name.substr(0, 200), "…\": the path is too long"));
  return clean;
}

struct LayerReader::Impl {
  std::string shown;
  std::stop_token stop;
  ArchiveReader raw, tar;
  std::optional<BackgroundHash> hash;
  bool started = false;  ///< the raw reader has found its one entry
  bool raw_ended = false;
  std::exception_ptr error;  ///< from within a callback, which may not throw through C
  LayerEntry entry;
  bool opened = false;

  [[noreturn]] void fail(const std::string& why) const { throw InvalidInput(concat(shown, ": ", why)); }

  /// The next uncompressed bytes; empty at the end.
  std::string_view pull() {
    if (stop.stop_requested()) throw Cancelled{};
    while (!raw_ended) {
      if (!started) {
        archive_entry* ignored = nullptr;
        const int result = archive_read_next_header(raw.handle, &ignored);
        started = true;
        if (result == ARCHIVE_EOF)
          raw_ended = true;
        else if (result < ARCHIVE_WARN)
          fail(hash ? raw.error() : "it cannot be decompressed: it is damaged, or cut off");
        continue;
      }
      const void* data = nullptr;
      std::size_t size = 0;
      la_int64_t offset = 0;
      const int result = archive_read_data_block(raw.handle, &data, &size, &offset);
      if (result == ARCHIVE_EOF)
        raw_ended = true;
      else if (result < ARCHIVE_WARN)
        fail(raw.error());
      if (size == 0) continue;
      const std::string_view bytes(static_cast<const char*>(data), size);
      if (hash) hash->update(bytes);
      return bytes;
    }
    return {};
  }

  static la_ssize_t on_read(archive* a, void* self, const void** data) noexcept {
    auto& impl = *static_cast<Impl*>(self);
    try {
      const std::string_view bytes = impl.pull();
      *data = bytes.data();
      return static_cast<la_ssize_t>(bytes.size());
    } catch (...) {
      impl.error = std::current_exception();
      archive_set_error(a, EIO, "the archive could not be read");
      return -1;
    }
  }

  void check(int result) {
    if (error) std::rethrow_exception(std::exchange(error, nullptr));
    if (result < ARCHIVE_WARN) fail(tar.error());
  }

  void open_tar() {
    archive_read_support_format_tar(tar.handle);
    archive_read_support_format_empty(tar.handle);
    check(archive_read_open(tar.handle, this, nullptr, &Impl::on_read, nullptr));
    opened = true;
  }

  void take(archive_entry* from) {
    const char* name = archive_entry_pathname(from);
    if (!name) fail("an entry has no name");
    entry = {.name = name, .link = {}, .same_as = {}, .xattrs = {}};
    entry.uid = owner_id(archive_entry_uid(from), entry.name);
    entry.gid = owner_id(archive_entry_gid(from), entry.name);
    entry.mode = archive_entry_mode(from);
    entry.mtime = archive_entry_mtime(from);
    entry.mtime_nanoseconds = archive_entry_mtime_nsec(from);
    entry.size = archive_entry_size(from) > 0 ? static_cast<std::uint64_t>(archive_entry_size(from)) : 0;
    entry.device = archive_entry_rdev(from);
    if (const char* target = archive_entry_hardlink(from)) {
      entry.same_as = target;
      if (entry.same_as.empty()) fail(concat("entry \"", entry.name, "\": a hard link to nothing"));
    } else if (const char* link = archive_entry_symlink(from)) {
      entry.link = link;
    }
    take_xattrs(from);
  }

  void take_xattrs(archive_entry* from) {
    if (archive_entry_xattr_reset(from) > kMostAttributes)
      fail(concat("entry \"", entry.name, "\": more than ", kMostAttributes, " extended attributes"));
    const char* name = nullptr;
    const void* value = nullptr;
    std::size_t size = 0;
    while (archive_entry_xattr_next(from, &name, &value, &size) == ARCHIVE_OK)
      if (name && is_kept_xattr(name))
        entry.xattrs.emplace_back(name, std::string(static_cast<const char*>(value), size));
  }
};

LayerReader::LayerReader(int fd, Filters filters, std::string shown, std::stop_token stop)
    : impl_(new Impl{.shown = std::move(shown),
                     .stop = std::move(stop),
                     .raw = {},
                     .tar = {},
                     .hash = {},
                     .error = {},
                     .entry = {}}) {
  archive* raw = impl_->raw.handle;
  archive_read_support_format_raw(raw);
  if (filters == Filters::OfArchives) {
    // Without the format of nothing at all: to libarchive, what cannot be decompressed is nothing.
    if (const int filter = archive_filter_of(fd)) archive_read_append_filter(raw, filter);
    if (archive_read_open_fd(raw, fd, kBlock) < ARCHIVE_WARN) impl_->fail(impl_->raw.error());
    return;
  }
  archive_read_support_format_empty(raw);
  impl_->hash.emplace();
  archive_read_support_filter_gzip(raw);
  archive_read_support_filter_zstd(raw);
  if (filters == Filters::All) {
    archive_read_support_filter_bzip2(raw);
    archive_read_support_filter_xz(raw);
    archive_read_support_filter_lzma(raw);
    archive_read_support_filter_lz4(raw);
    archive_read_support_filter_compress(raw);
  }
  if (archive_read_open_fd(raw, fd, kBlock) < ARCHIVE_WARN) impl_->fail(impl_->raw.error());
}

LayerReader::~LayerReader() = default;

LayerReader::Start LayerReader::start_of(int fd) {
  constexpr std::size_t kHeader = 512;
  const ArchiveReader raw;
  archive_read_support_format_raw(raw.handle);
  const int filter = archive_filter_of(fd);
  if (filter != 0) archive_read_append_filter(raw.handle, filter);
  archive_entry* ignored = nullptr;
  char header[kHeader];
  la_ssize_t n = ARCHIVE_FATAL;
  if (archive_read_open_fd(raw.handle, fd, kBlock) >= ARCHIVE_WARN &&
      archive_read_next_header(raw.handle, &ignored) >= ARCHIVE_WARN)
    n = archive_read_data(raw.handle, header, kHeader);
  if (n < 0 && filter != 0) return Start::Damaged;
  return n == kHeader && is_tar_header(std::string_view(header, kHeader)) ? Start::Tar : Start::Other;
}

const LayerEntry* LayerReader::next() {
  const ArchiveLocale locale("C");
  if (!impl_->opened) impl_->open_tar();
  archive_entry* found = nullptr;
  int result = ARCHIVE_RETRY;
  while (result == ARCHIVE_RETRY) result = archive_read_next_header(impl_->tar.handle, &found);
  if (result == ARCHIVE_EOF && !impl_->error) return nullptr;
  impl_->check(result);
  impl_->take(found);
  return &impl_->entry;
}

void LayerReader::read_bytes(const std::function<void(std::uint64_t, std::string_view)>& use) {
  while (true) {
    const void* data = nullptr;
    std::size_t size = 0;
    la_int64_t offset = 0;
    const int result = archive_read_data_block(impl_->tar.handle, &data, &size, &offset);
    if (result == ARCHIVE_EOF && !impl_->error) return;
    impl_->check(result);
    if (size > 0)
      use(static_cast<std::uint64_t>(offset), std::string_view(static_cast<const char*>(data), size));
  }
}

void LayerReader::write_bytes(int fd) {
  const std::string shown = "/" + impl_->entry.name;
  std::uint64_t end = 0;
  read_bytes([&](std::uint64_t offset, std::string_view bytes) {
    write_at(fd, offset, bytes, shown);
    end = offset + bytes.size();
  });
  // A sparse file may end in a hole.
  if (end < impl_->entry.size && ::ftruncate(fd, static_cast<off_t>(impl_->entry.size)) != 0)
    throw SystemError(errno, "truncate", shown);
}

Digest LayerReader::finish() {
  while (!impl_->pull().empty()) {
  }
  return impl_->hash.value().finish();
}

}  // namespace slipway
