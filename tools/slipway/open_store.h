#pragma once
// The store of a command, which depends on what the command's process is allowed.
#include <memory>

#include "content/store.h"
#include "slipway/command.h"

namespace slipway {

/// Without namespaces there are no mounts, and snapshots are made by copying. Throws as Store::open.
std::unique_ptr<Store> open_store(const CommandContext& context);

}  // namespace slipway
