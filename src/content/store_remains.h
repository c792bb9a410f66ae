#pragma once
// What a store without its database still says of itself. Private to this module.
#include <filesystem>
#include <vector>

#include "content/database.h"

namespace slipway {

/// What index.json says, as far as it says anything; the rows need not be right.
std::vector<Database::ImageRow> images_of_index(const std::filesystem::path& root);

/// For who is about to make the tables of slipway.db. Throws IntegrityError if there were some before:
/// index.json names images, or there are snapshots. SQLite takes a missing or empty file for a new database,
/// and with that the next name given would replace all those in index.json.
void refuse_lost_database(const std::filesystem::path& root);

}  // namespace slipway
