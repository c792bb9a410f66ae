#pragma once
// Images as OCI layouts outside the store: a directory, or a tar file of one.
#include <filesystem>
#include <stop_token>
#include <vector>

#include "content/store.h"
#include "manifest/image_ref.h"
#include "manifest/oci.h"

namespace slipway {

/// Every blob that `image` needs, itself included: index, manifests, configs, layers. Each once.
std::vector<Descriptor> blobs_of_image(Store& store, const Descriptor& image);

/// Throws Cancelled, SystemError, IntegrityError. Writes a layout directory; one that is there already gets
/// the image added, names of the same tag replaced.
void export_layout_directory(Store& store, const Descriptor& image, const std::vector<ImageRef>& names,
                             const std::filesystem::path& directory, std::stop_token stop);
/// Writes a tar with the same files, byte for byte the same for the same image. `file` appears whole or not
/// at all;
/// "-" is stdout.
void export_layout_tar(Store& store, const Descriptor& image, const std::vector<ImageRef>& names,
                       const std::filesystem::path& file, std::stop_token stop);

}  // namespace slipway
