#include "content/cache_mount_layer.h"
#include "content/cpu_slots.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstdio>

#include "base/error.h"
#include "base/files.h"
#include "base/strings.h"
#include "content/disk_usage.h"
#include "content/layer_pack.h"
#include "content/layer_reader.h"
#include "content/layer_sink.h"
#include "content/layers_internal.h"
#include "content/store.h"
#include "content/tree_paths.h"
#include "content/unpack_target.h"

namespace slipway {

namespace fs = std::filesystem;

namespace {

/// The one directory that such a layer holds: the first copy's name in the store.
constexpr std::string_view kRoot = "0";

void check_entry(const LayerEntry& entry) {
  const bool is_root = entry.name == kRoot && S_ISDIR(entry.mode) && entry.same_as.empty();
  if (!is_root && !entry.name.starts_with(concat(kRoot, "/")))
    throw InvalidInput(concat("entry \"", entry.name, "\" is not of a cache mount"));
  if (base_name(entry.name).starts_with(".wh."))
    throw InvalidInput(
        concat("entry \"", entry.name, "\" marks a deletion, of which a cache mount has none"));
}

}  // namespace

std::uint64_t size_of_cache_mount(const fs::path& copy, std::stop_token stop) {
  return DiskUsage(std::move(stop)).of_tree(copy);
}

Layer pack_cache_mount(Store& store, const fs::path& copy, const LayerOptions& options,
                       std::stop_token stop) {
  LayerSink::Packed packed = in_cpu_slot([&] {
    LayerSink sink(store.blobs(), options, stop);
    LayerTar tar([&sink](std::string_view bytes) { sink.add(bytes); }, options.clamp_mtime);
    pack_directory(copy, tar, stop);
    tar.close();
    return sink.finish();
  });
  return packed.commit(options.compression);
}

void unpack_cache_mount(Store& store, const Layer& layer, const fs::path& parent, std::stop_token stop) {
  const std::string shown = "layer " + layer.descriptor.digest.str();
  const UniqueFd blob = store.blobs().open(layer.descriptor.digest);
  // A directory of its own: whatever the layer makes, only what is checked below comes out of it.
  const TempDir place(parent, "unpacked");
  LayerReader reader(blob.get(), LayerReader::Filters::OfLayers, shown, stop);
  try {
    UnpackTarget target(place.path(), LowerDirectory(), store.logger(), shown);
    run_in_cpu_slot([&] { unpack_entries(reader, target, stop, check_entry); });
  } catch (InvalidInput& e) {
    if (!e.message().starts_with(shown)) e.add_context(shown);
    throw;
  }
  if (const Digest diff_id = reader.finish(); diff_id != layer.diff_id)
    throw IntegrityError(
        concat(shown, " unpacks to ", diff_id.str(), ", but the cache says ", layer.diff_id.str()));
  const fs::path root = place.path() / kRoot, made = parent / "new";
  struct stat status {};
  if (::lstat(root.c_str(), &status) != 0 || !S_ISDIR(status.st_mode))
    throw InvalidInput(concat(shown, " holds no cache mount"));
  if (std::rename(root.c_str(), made.c_str()) != 0) throw SystemError(errno, "rename", made.native());
}

}  // namespace slipway
