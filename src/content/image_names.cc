#include <fcntl.h>

#include <cerrno>
#include <cstdio>
#include <ctime>

#include "base/error.h"
#include "base/files.h"
#include "base/regular_file.h"
#include "content/database.h"
#include "content/image_index.h"
#include "content/space.h"
#include "content/store.h"
#include "manifest/media_types.h"

namespace slipway {
namespace fs = std::filesystem;
namespace {

StoredImage image_from(const Database::ImageRow& row) {
  return {.name = ImageRef::parse(row.name),
          .descriptor = parse_descriptor(row.descriptor),
          .updated = row.updated};
}

/// Called with SQLite's write lock held, so one process at a time is here: the temp file can have one fixed
/// name, which a killed process's leftover does not block.
void write_index(const fs::path& root, const std::vector<Database::ImageRow>& images) {
  const std::string bytes = index_json(images);
  const fs::path temp = root / "index.json.new", target = root / "index.json";
  try {
    UniqueFd fd = open_regular_file(temp, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0644);
    write_all(fd.get(), bytes, temp.native());
    fsync_fd(fd.get(), temp.native());
    if (std::rename(temp.c_str(), target.c_str()) != 0) throw SystemError(errno, "rename", target.native());
    fsync_directory(root);
  } catch (const SystemError& e) {
    throw with_space_left(e, root);
  }
}

}  // namespace

std::string index_json(const std::vector<Database::ImageRow>& images) {
  Index index{.media_type = std::string(media_type::kOciIndex), .manifests = {}, .annotations = {}};
  for (const Database::ImageRow& row : images) {
    Descriptor descriptor = parse_descriptor(row.descriptor);
    descriptor.annotations[kImageRefName] = row.name;
    index.manifests.push_back(std::move(descriptor));
  }
  return to_json(index);
}

std::optional<StoredImage> ImageNames::find(const ImageRef& name) {
  const auto row = database_.find_image(name.str());
  if (!row) return std::nullopt;
  return image_from(*row);
}

void ImageNames::set(const std::vector<ImageRef>& names, const Descriptor& descriptor) {
  if (names.empty()) return;
  const std::string json = to_json(descriptor);
  const std::int64_t now = std::time(nullptr);
  std::vector<Database::ImageRow> rows;
  for (const ImageRef& name : names) rows.push_back({.name = name.str(), .descriptor = json, .updated = now});
  database_.set_images(rows, [this](const auto& all) { write_index(root_, all); });
}

bool ImageNames::remove(const ImageRef& name) {
  return database_.remove_image(name.str(), [this](const auto& all) { write_index(root_, all); });
}

std::vector<StoredImage> ImageNames::list() {
  std::vector<StoredImage> images;
  for (const Database::ImageRow& row : database_.images()) images.push_back(image_from(row));
  return images;
}

void ImageNames::remove_rows(const std::vector<std::string>& names) {
  database_.remove_images(names, [this](const auto& all) { write_index(root_, all); });
}

void ImageNames::rewrite_index() {
  database_.set_images({}, [this](const auto& all) { write_index(root_, all); });
}

}  // namespace slipway
