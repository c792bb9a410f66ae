#include <unistd.h>

#include <cerrno>
#include <ctime>

#include "base/error.h"
#include "base/files.h"
#include "base/strings.h"
#include "content/cpu_slots.h"
#include "content/database.h"
#include "content/layer_reader.h"
#include "content/layers.h"
#include "content/layers_internal.h"
#include "content/store.h"
#include "content/unpack_target.h"
#include "manifest/media_types.h"

namespace slipway {
namespace {

/// Far beyond any image; a bound on what a hostile layer can make of inodes.
constexpr std::uint64_t kMostEntries = 10'000'000;

/// The chain id of a snapshot all of whose ancestors were unpacked; nothing if one was built.
std::optional<Digest> chain_of(Store& store, SnapshotId snapshot) {
  std::optional<Digest> chain;
  for (SnapshotId id : store.snapshots().layers(snapshot)) {
    const auto record = store.database().find_layer(id, std::string(kPulledVariant));
    if (!record) return std::nullopt;
    chain = chain_id(chain, record->diff_id);
  }
  return chain;
}

SnapshotId unpack_new(Store& store, const std::optional<SnapshotId>& parent, const Layer& layer,
                      const std::stop_token& stop, const std::optional<std::int64_t>& created) {
  const Digest& digest = layer.descriptor.digest;
  const std::string shown = "layer " + digest.str();
  const UniqueFd blob = store.blobs().open(digest);
  ActiveSnapshot active = store.snapshots().prepare_unmounted(parent);
  const Digest diff_id = in_cpu_slot([&] {
    LayerReader reader(blob.get(), LayerReader::Filters::OfLayers, shown, stop);
    try {
      UnpackTarget target(active.upper(), LowerDirectory::root_of(store.snapshots(), parent), store.logger(),
                          shown);
      unpack_entries(reader, target, stop);
    } catch (InvalidInput& e) {
      if (!e.message().starts_with(shown)) e.add_context(shown);
      throw;
    }
    return reader.finish();
  });
  if (diff_id != layer.diff_id)
    throw IntegrityError(
        concat(shown, " unpacks to ", diff_id.str(), ", but the image's config says ", layer.diff_id.str()));
  return store.snapshots().commit(std::move(active), created.value_or(std::time(nullptr)));
}

}  // namespace

void unpack_entries(LayerReader& reader, UnpackTarget& target, const std::stop_token& stop,
                    const std::function<void(const LayerEntry&)>& check) {
  std::uint64_t count = 0;
  while (const LayerEntry* next = reader.next()) {
    if (stop.stop_requested()) throw Cancelled{};
    if (++count > kMostEntries) throw InvalidInput(concat("more than ", kMostEntries, " entries"));
    LayerEntry entry = *next;
    entry.name = clean_entry_name(entry.name);
    if (!entry.same_as.empty()) {
      entry.same_as = clean_entry_name(entry.same_as);
      if (entry.same_as.empty())
        throw InvalidInput(concat("entry \"", entry.name, "\": a hard link to the root"));
    }
    if (check) check(entry);
    target.add(entry, [&](int fd) { reader.write_bytes(fd); });
  }
  target.finish();
}

SnapshotId unpack_layer(Store& store, const std::optional<SnapshotId>& parent, const Layer& layer,
                        std::stop_token stop, const std::optional<std::int64_t>& created) {
  // The parent's layers must be known by what they unpack to; what was built here has no chain id to be found
  // under.
  const std::optional<Digest> parent_chain = parent ? chain_of(store, *parent) : std::nullopt;
  std::optional<Digest> chain;
  if (!parent || parent_chain) chain = chain_id(parent_chain, layer.diff_id);
  if (chain) {
    if (const auto known = find_unpacked(store, *chain)) return *known;
  }
  const SnapshotId id = unpack_new(store, parent, layer, stop, created);
  store.database().put_layer(id, std::string(kPulledVariant),
                             {.media_type = std::string(media_type::to_oci(layer.descriptor.media_type)),
                              .digest = layer.descriptor.digest,
                              .size = layer.descriptor.size,
                              .diff_id = layer.diff_id});
  if (chain) store.database().put_chain(chain_here(*chain), id);
  return id;
}

}  // namespace slipway
