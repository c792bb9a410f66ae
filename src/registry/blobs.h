#pragma once
// The blob half of the distribution API, over a session. The contracts are RegistryClient's (client.h).
#include "registry/client.h"
#include "registry/session.h"

namespace slipway {

void fetch_blob(RegistrySession& session, const ImageRef& ref, const Descriptor& blob, const BlobSink& sink,
                const TransferProgress& progress, const std::stop_token& stop);
PushEnd push_blob(RegistrySession& session, const ImageRef& ref, const Descriptor& blob,
                  const std::function<UniqueFd()>& open, const std::vector<std::string>& mount_from,
                  const TransferProgress& progress, const std::stop_token& stop);

}  // namespace slipway
