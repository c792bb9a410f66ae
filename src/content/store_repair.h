#pragma once
// Makes what the store says true again by forgetting what is not (`slipway store check --repair`). What is
// forgotten is pulled or built anew; only an image whose blobs are gone is lost, and named. Files that are
// not slipway's are left alone.
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace slipway {

class Store;

enum class StoreReading {
  Bytes,  ///< of everything
  Sizes,  ///< of blobs, and whether snapshots' directories are there
};

/// Safe while others use the store, but for a build that stands on a damaged snapshot, which fails. Returns a
/// line for each thing that was done. Throws IntegrityError if the database itself is damaged, SystemError.
std::vector<std::string> repair_store(Store& store, StoreReading reading);

/// Whether the database can be opened and is well-formed. Throws SystemError, HostError.
bool has_sound_database(const std::filesystem::path& root);

/// Renames the database to slipway.db.damaged-N, so that Store::open makes an empty one, and calls `reopen`,
/// which opens the store and gives it; names the images of index.json there whose blobs are all in place.
/// Blobs stay. Returns a line for each thing that was done. Throws HostError if other processes use the
/// store, SystemError.
std::vector<std::string> replace_database(const std::filesystem::path& root,
                                          const std::function<Store&()>& reopen);

}  // namespace slipway
