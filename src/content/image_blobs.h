#pragma once
// Which blobs images are made of. Private to this module.
#include <map>
#include <string>
#include <vector>

#include "base/digest.h"
#include "content/blob_store.h"
#include "content/database.h"
#include "manifest/oci.h"

namespace slipway {

/// Every blob that an image needs, with the name of one such image; also those that are not there. Throws
/// IntegrityError, InvalidInput for documents that are not what they should be.
std::map<Digest, std::string> image_blobs(const BlobStore& blobs,
                                          const std::vector<Database::ImageRow>& images);

/// Registries need not serve these (image-spec layer.md, non-distributable layers), so we need not have them.
bool may_be_absent(const Descriptor& layer);

/// Whether all of its blobs are there, in their sizes, and its documents can be read.
bool is_whole_image(const BlobStore& blobs, const Database::ImageRow& image);

}  // namespace slipway
