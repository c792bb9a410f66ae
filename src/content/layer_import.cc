#include <sys/stat.h>

#include "base/error.h"
#include "base/strings.h"
#include "content/cpu_slots.h"
#include "content/layer_reader.h"
#include "content/layer_sink.h"
#include "content/layers.h"
#include "content/store.h"

namespace slipway {
namespace {

bool belongs_in_a_layer(const LayerEntry& entry) {
  if (entry.name.empty()) return false;  // the root itself: layers made here do not have it
  if (S_ISSOCK(entry.mode)) return false;
  // Every container gets a /dev of its own, and an unprivileged builder could not unpack these.
  const bool device = S_ISCHR(entry.mode) || S_ISBLK(entry.mode);
  return !(device && entry.name.starts_with("dev/"));
}

void convert(LayerReader& reader, LayerTar& tar, const std::stop_token& stop) {
  while (const LayerEntry* next = reader.next()) {
    if (stop.stop_requested()) throw Cancelled{};
    LayerEntry entry = *next;
    entry.name = clean_entry_name(entry.name);
    if (!entry.same_as.empty()) {
      entry.same_as = clean_entry_name(entry.same_as);
      entry.mode = S_IFREG | (entry.mode & 07777);
    }
    if (!belongs_in_a_layer(entry)) continue;
    tar.add(entry);
    if (!S_ISREG(entry.mode) || !entry.same_as.empty()) continue;
    std::uint64_t written = 0;
    const auto fill_to = [&](std::uint64_t offset) {  // holes of sparse files become zeros
      static const std::string kZeros(std::size_t{64} << 10, '\0');
      for (; written < offset; written += std::min<std::uint64_t>(offset - written, kZeros.size()))
        tar.add_bytes(std::string_view(kZeros).substr(
            0, static_cast<std::size_t>(std::min<std::uint64_t>(offset - written, kZeros.size()))));
    };
    reader.read_bytes([&](std::uint64_t offset, std::string_view bytes) {
      fill_to(offset);
      tar.add_bytes(bytes);
      written += bytes.size();
    });
    fill_to(entry.size);
  }
}

}  // namespace

Layer import_tar_as_layer(Store& store, int tar_fd, const LayerOptions& options, std::stop_token stop) {
  LayerSink::Packed packed = in_cpu_slot([&] {
    LayerReader reader(tar_fd, LayerReader::Filters::All, "the root file system archive", stop);
    LayerSink sink(store.blobs(), options, stop);
    LayerTar tar([&sink](std::string_view bytes) { sink.add(bytes); }, options.clamp_mtime);
    convert(reader, tar, stop);
    tar.close();
    reader.finish();  // an archive that is cut off or damaged after its last entry is no archive
    return sink.finish();
  });
  return packed.commit(options.compression);
}

}  // namespace slipway
