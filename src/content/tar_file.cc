#include "content/tar_file.h"

#include <archive.h>
#include <archive_entry.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/error.h"
#include "base/strings.h"

namespace slipway {
namespace {

constexpr int kBlock = 256 << 10;

}  // namespace

struct TarFileWriter::Impl {
  archive* out = archive_write_new();
  archive_entry* entry = archive_entry_new();
  ~Impl() {
    archive_entry_free(entry);
    archive_write_free(out);
  }
  void check(int result, const std::string& name) {
    if (result < ARCHIVE_WARN) throw SystemError(archive_errno(out), "write archive", name);
  }
  void header(const std::string& name, mode_t type, mode_t mode, std::uint64_t size) {
    archive_entry_clear(entry);
    archive_entry_set_pathname(entry, name.c_str());
    archive_entry_set_filetype(entry, type);
    archive_entry_set_perm(entry, mode);
    archive_entry_set_size(entry, static_cast<la_int64_t>(size));
    archive_entry_set_mtime(entry, 0, 0);
    check(archive_write_header(out, entry), name);
  }
  void data(const std::string& name, const char* bytes, std::size_t size) {
    if (archive_write_data(out, bytes, size) < 0)
      throw SystemError(archive_errno(out), "write archive", name);
  }
};

TarFileWriter::TarFileWriter(int fd) : impl_(std::make_unique<Impl>()) {
  archive_write_set_format_pax_restricted(impl_->out);
  archive_write_add_filter_none(impl_->out);
  // One write() for each read() of a blob, not one for each 10 KiB record of tapes; and nothing after the end
  // of the archive, whether it goes into a file or down a pipe.
  archive_write_set_bytes_per_block(impl_->out, kBlock);
  archive_write_set_bytes_in_last_block(impl_->out, 1);
  impl_->check(archive_write_open_fd(impl_->out, fd), "");
}

TarFileWriter::~TarFileWriter() = default;

void TarFileWriter::add_directory(const std::string& name) { impl_->header(name + "/", S_IFDIR, 0755, 0); }

void TarFileWriter::add_bytes(const std::string& name, std::string_view bytes) {
  impl_->header(name, S_IFREG, 0644, bytes.size());
  impl_->data(name, bytes.data(), bytes.size());
}

void TarFileWriter::add_file(const std::string& name, int fd, const Digest& digest, std::uint64_t size) {
  impl_->header(name, S_IFREG, 0644, size);
  Sha256 hash;
  std::array<char, kBlock> buffer;
  while (size > 0) {
    const ssize_t n = ::read(fd, buffer.data(), std::min<std::uint64_t>(buffer.size(), size));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw SystemError(errno, "read", name);
    if (n == 0) throw IntegrityError(concat(name, " is shorter than it should be"));
    hash.update(buffer.data(), static_cast<std::size_t>(n));
    impl_->data(name, buffer.data(), static_cast<std::size_t>(n));
    size -= static_cast<std::uint64_t>(n);
  }
  if (hash.finish() != digest) throw IntegrityError(concat("the bytes of ", name, " have another digest"));
}

void TarFileWriter::close() { impl_->check(archive_write_close(impl_->out), ""); }

}  // namespace slipway
