#pragma once
// An operation as BuildKit prints it in a provenance: the JSON of pb.Op. Only for people and their tools;
// what counts is graph/codec.h.
#include <string>

#include "base/secret_mask.h"
#include "graph/ops.h"

namespace slipway {

/// Without inputs, which have names of their own there, and without what may open a door: proxies, users and
/// passwords of addresses, all that is `hidden`.
std::string op_json(const Op& op, const SecretMask& hidden);

}  // namespace slipway
