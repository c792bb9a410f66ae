#pragma once
// Emulators from an image, such as multiarch/qemu-user-static or tonistiigi/binfmt: for machines that have
// none of their own, and for builds that want the same ones everywhere.
#include <filesystem>
#include <stop_token>

#include "content/store.h"
#include "manifest/image_ref.h"
#include "registry/client.h"

namespace slipway {

/// The directory with the image's static emulators for this machine, ROOT/emulators/DIGEST: made once for
/// each image, by its manifest's digest. Files named qemu-* in /usr/bin, /usr/local/bin, /bin and / of the
/// image are taken. Throws as resolving an image does, and NotFound if it holds none.
std::filesystem::path extract_emulators(Store& store, RegistryClient& registry, const ImageRef& image,
                                        std::stop_token stop);

}  // namespace slipway
