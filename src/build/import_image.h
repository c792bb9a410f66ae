#pragma once
// Images from root file system archives: the plumbing of bootstrap, and a way into the store for any tar.
#include <cstdint>
#include <filesystem>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "build/assemble.h"
#include "content/store.h"
#include "manifest/image_ref.h"
#include "manifest/oci.h"

namespace slipway {

/// One layer, one config, one manifest in the store. `created_by` is the history's line; its time is
/// `created` (seconds), or left out, so that the same archive gives the same image. Throws InvalidInput for
/// an archive that cannot be read.
AssembledImage import_rootfs(Store& store, int tar_fd, const Platform& platform,
                             const std::string& created_by, const std::optional<std::int64_t>& created,
                             std::stop_token stop);

/// An index of `images`, put in the store; nothing is named yet. With `keep_of`, platforms that this name's
/// present image has and `images` has not stay.
Descriptor assemble_imported(Store& store, const std::vector<AssembledImage>& images,
                             const std::optional<ImageRef>& keep_of);

}  // namespace slipway
