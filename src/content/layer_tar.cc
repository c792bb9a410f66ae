#include "content/layer_tar.h"

#include <archive.h>
#include <archive_entry.h>

#include <algorithm>
#include <cerrno>
#include <exception>

#include "base/error.h"
#include "base/strings.h"
#include "content/archive_locale.h"

namespace slipway {
namespace {

constexpr int kBlock = 1 << 20;

}  // namespace

struct LayerTar::Impl {
  Write write;
  std::optional<std::int64_t> clamp_mtime;
  archive* out = archive_write_new();
  archive_entry* entry = archive_entry_new();
  std::exception_ptr error;  ///< what `write` threw: it may not pass through C
  std::string current;
  std::uint64_t missing = 0;

  ~Impl() {
    archive_entry_free(entry);
    archive_write_free(out);
  }

  static la_ssize_t on_bytes(archive* a, void* self, const void* data, std::size_t size) noexcept {
    auto& impl = *static_cast<Impl*>(self);
    // After an error libarchive still closes; it must get no further into `write`.
    if (impl.error) return -1;
    try {
      impl.write(std::string_view(static_cast<const char*>(data), size));
      return static_cast<la_ssize_t>(size);
    } catch (...) {
      impl.error = std::current_exception();
      archive_set_error(a, EIO, "the layer could not be written");
      return -1;
    }
  }

  void check(la_ssize_t result) {
    if (error) std::rethrow_exception(std::exchange(error, nullptr));
    // ARCHIVE_WARN: a name that is no UTF-8 was written as bytes.
    if (result < ARCHIVE_WARN)
      throw InvalidInput(concat("\"", current, "\" cannot be put into a layer: ",
                                archive_error_string(out) ? archive_error_string(out) : "unknown error"));
  }

  void check_complete() const {
    if (missing > 0)
      throw IntegrityError(
          concat("\"", current, "\" became ", missing, " bytes shorter while it was put into a layer"));
  }
};

LayerTar::LayerTar(Write write, std::optional<std::int64_t> clamp_mtime)
    : impl_(new Impl{.write = std::move(write), .clamp_mtime = clamp_mtime, .error = {}, .current = {}}) {
  archive_write_set_format_pax_restricted(impl_->out);
  impl_->check(archive_write_set_options(impl_->out, "pax:xattrheader=SCHILY"));
  archive_write_add_filter_none(impl_->out);
  // Large blocks to `write`, and no padding after the two zero blocks that end a tar.
  archive_write_set_bytes_per_block(impl_->out, kBlock);
  archive_write_set_bytes_in_last_block(impl_->out, 1);
  impl_->check(archive_write_open(impl_->out, impl_.get(), nullptr, &Impl::on_bytes, nullptr));
}

LayerTar::~LayerTar() {
  // Freeing would write the end of the archive; nobody wants that of an archive that was not closed.
  if (!impl_->error) impl_->error = std::make_exception_ptr(Cancelled{});
}

void LayerTar::add(const LayerEntry& layer_entry) {
  impl_->check_complete();
  const ArchiveLocale locale("C.UTF-8");
  archive_entry* entry = archive_entry_clear(impl_->entry);
  impl_->current = layer_entry.name;
  const bool directory = S_ISDIR(layer_entry.mode);
  const bool has_bytes = S_ISREG(layer_entry.mode) && layer_entry.same_as.empty();
  archive_entry_set_pathname(entry, (directory ? layer_entry.name + "/" : layer_entry.name).c_str());
  archive_entry_set_mode(entry, layer_entry.mode);
  archive_entry_set_uid(entry, static_cast<la_int64_t>(layer_entry.uid));
  archive_entry_set_gid(entry, static_cast<la_int64_t>(layer_entry.gid));
  const std::int64_t mtime =
      impl_->clamp_mtime ? std::min(layer_entry.mtime, *impl_->clamp_mtime) : layer_entry.mtime;
  archive_entry_set_mtime(entry, mtime, 0);
  archive_entry_set_size(entry, has_bytes ? static_cast<la_int64_t>(layer_entry.size) : 0);
  if (S_ISLNK(layer_entry.mode)) archive_entry_set_symlink(entry, layer_entry.link.c_str());
  if (!layer_entry.same_as.empty()) archive_entry_set_hardlink(entry, layer_entry.same_as.c_str());
  if (S_ISCHR(layer_entry.mode) || S_ISBLK(layer_entry.mode))
    archive_entry_set_rdev(entry, layer_entry.device);
  for (const auto& [name, value] : layer_entry.xattrs)
    archive_entry_xattr_add_entry(entry, name.c_str(), value.data(), value.size());
  impl_->missing = has_bytes ? layer_entry.size : 0;
  impl_->check(archive_write_header(impl_->out, entry));
}

void LayerTar::add_bytes(std::string_view bytes) {
  // A file that grew meanwhile: the entry has the size that was announced.
  bytes = bytes.substr(0, impl_->missing);
  while (!bytes.empty()) {
    const la_ssize_t n = archive_write_data(impl_->out, bytes.data(), bytes.size());
    impl_->check(n);
    if (n <= 0) throw IntegrityError(concat("\"", impl_->current, "\": the layer does not take its bytes"));
    bytes.remove_prefix(static_cast<std::size_t>(n));
    impl_->missing -= static_cast<std::uint64_t>(n);
  }
}

void LayerTar::close() {
  impl_->check_complete();
  impl_->check(archive_write_close(impl_->out));
}

}  // namespace slipway
