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

/// Whether the database can be opened, is well-formed, and is not a missing or empty one in the place of
/// another (store_remains.h). Throws SystemError, HostError.
bool has_sound_database(const std::filesystem::path& root);

/// Renames the database, if there is one, to slipway.db.damaged-N, makes one that names the images of
/// index.json whose blobs are all in place, and calls `reopen`, which opens the store and gives it. Blobs
/// stay. If the database is sound by now, as another process made it, that is opened. Returns a line for each
/// thing that was done. Throws HostError if other processes use the store, SystemError.
std::vector<std::string> replace_database(const std::filesystem::path& root,
                                          const std::function<Store&()>& reopen);

}  // namespace slipway
