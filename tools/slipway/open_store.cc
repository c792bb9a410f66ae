#include "slipway/open_store.h"

namespace slipway {

std::unique_ptr<Store> open_store(const CommandContext& context) {
  const TreeMode trees =
      context.confinement.isolation == Isolation::Oci ? TreeMode::Overlay : TreeMode::Copies;
  return Store::open(context.store_root, context.logger, trees);
}

}  // namespace slipway
