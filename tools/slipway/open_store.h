#pragma once
// The store of a command, which depends on what the command's process is allowed.
#include <memory>

#include "content/store.h"
#include "slipway/command.h"

namespace slipway {

/// Without namespaces there are no mounts, and snapshots are made by copying. Throws as Store::open.
std::unique_ptr<Store> open_store(const CommandContext& context);

/// The same for what makes anew whatever the store does not have: a damaged database is set aside and a new
/// one made, with a warning for each thing that was done. Throws HostError if other processes use the store.
std::unique_ptr<Store> open_store_or_renew(const CommandContext& context);

}  // namespace slipway
