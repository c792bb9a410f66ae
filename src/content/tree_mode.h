#pragma once
// How a store makes a snapshot's merged tree.

namespace slipway {

enum class TreeMode {
  Overlay,  ///< overlayfs mounts
  Copies,   ///< plain directories, copied and compared: where mounts are refused (a container's seccomp
            ///< profile)
};

}  // namespace slipway
