#include "slipway/open_store.h"

#include <string>

#include "base/error.h"
#include "base/logger.h"
#include "base/strings.h"
#include "content/store_repair.h"

namespace slipway {

std::unique_ptr<Store> open_store(const CommandContext& context) {
  const TreeMode trees =
      context.confinement.isolation == Isolation::Oci ? TreeMode::Overlay : TreeMode::Copies;
  return Store::open(context.store_root, context.logger, trees);
}

std::unique_ptr<Store> open_store_or_renew(const CommandContext& context) {
  try {
    return open_store(context);
  } catch (const IntegrityError& damage) {
    // Sound by now: another process made it anew meanwhile.
    if (has_sound_database(context.store_root)) return open_store(context);
    context.logger.log(LogLevel::Warning, damage.what());
  }
  std::unique_ptr<Store> store;
  for (const std::string& line : replace_database(context.store_root, [&]() -> Store& {
         store = open_store(context);
         return *store;
       }))
    context.logger.log(LogLevel::Warning, line);
  return store;
}

}  // namespace slipway
