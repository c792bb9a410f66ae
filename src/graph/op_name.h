#pragma once
// What an operation is called by which nobody has named: "RUN"-less commands, images, copies.
#include <string>

#include "graph/ops.h"

namespace slipway {

/// One line of at most 200 bytes: "make install", "docker-image://docker.io/library/busybox:latest",
/// "copy /a to /b", "merge".
std::string describe_op(const Op& op);

}  // namespace slipway
