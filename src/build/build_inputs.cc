#include "build/build_inputs.h"

namespace slipway {

namespace {

/// The agent that git may ask: --ssh's, as BuildKit has it, else the one of the caller's session.
std::string ssh_agent_of(const BuildRequest& request) {
  const auto given = request.ssh.find("default");
  return given != request.ssh.end() && !given->second.socket.empty() ? given->second.socket.native()
                                                                     : request.ssh_auth_sock;
}

}  // namespace

BuildInputs::BuildInputs(const BuildRequest& request, Store& store, RegistryClient& registry,
                         ProgressSink& progress, KeepDocuments keep)
    : request_(request),
      downloader_({}, store.logger()),
      http_(store, downloader_, request.secrets),
      git_(store, {.secrets = request.secrets,
                   .ssh_auth_sock = ssh_agent_of(request),
                   .known_hosts = request.known_hosts}),
      remote_(store, git_, http_, progress),
      images_(store, registry, keep),
      contexts_(store, remote_, images_) {}

void BuildInputs::load(std::stop_token stop) {
  if (request_.definition) return contexts_.load_for_definition(request_);
  contexts_.load(request_, stop);
}

dockerfile::LowerOptions BuildInputs::lower_options() const {
  return {.platforms = request_.platforms.empty() ? std::vector{Platform::host()} : request_.platforms,
          .build_platform = Platform::host(),
          .target = request_.target,
          .build_args = request_.build_args,
          .labels = request_.labels,
          .ignore_patterns = contexts_.dockerfile().ignore_patterns,
          .contexts = contexts_.named(),
          .no_cache = request_.no_cache,
          .no_cache_stages = request_.no_cache_stages,
          .extra_hosts = request_.extra_hosts,
          .ulimits = request_.ulimits,
          .shm_size = request_.shm_size};
}

}  // namespace slipway
