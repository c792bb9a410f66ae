#include "content/store_remains.h"

#include "base/error.h"
#include "base/files.h"
#include "base/regular_file.h"
#include "base/strings.h"
#include "content/image_index.h"
#include "content/snapshot_files.h"
#include "manifest/oci.h"

namespace slipway {
namespace fs = std::filesystem;

std::vector<Database::ImageRow> images_of_index(const fs::path& root) {
  std::vector<Database::ImageRow> rows;
  try {
    for (Descriptor& descriptor :
         parse_index(read_regular_file_if_exists(root / "index.json").value_or(std::string()))
             .value.manifests) {
      const auto name = descriptor.annotations.extract(kImageRefName);
      if (!name.empty()) rows.push_back({.name = name.mapped(), .descriptor = to_json(descriptor)});
    }
  } catch (const Error&) {  // then there are none
  }
  return rows;
}

void refuse_lost_database(const fs::path& root) {
  const std::size_t images = images_of_index(root).size();
  if (images == 0 &&
      (!fs::is_directory(root / "snapshots") || snapshot_leftovers(root / "snapshots", {}).empty()))
    return;
  IntegrityError error(concat(
      "the store database ", (root / "slipway.db").native(), " is lost: it is missing or empty, but ",
      images > 0 ? concat("index.json names ", images, " images") : std::string("there are snapshots")));
  error.set_hint("`slipway store check --repair` makes a new one, with the names that index.json has.");
  throw error;
}

}  // namespace slipway
