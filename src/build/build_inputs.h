#pragma once
// All that a build, or a call that only looks, reads from outside: contexts, remote sources and images.
#include <stop_token>

#include "base/progress.h"
#include "build/build_request.h"
#include "build/contexts.h"
#include "dockerfile/lower.h"
#include "nodes/git_source.h"
#include "nodes/http_source.h"
#include "nodes/image_source.h"
#include "nodes/remote_sources.h"
#include "registry/http_download.h"

namespace slipway {

/// Everything given must outlive it. load() comes before the rest, from one thread; images() and remote() are
/// then thread-safe.
class BuildInputs {
 public:
  BuildInputs(const BuildRequest& request, Store& store, RegistryClient& registry, ProgressSink& progress,
              KeepDocuments keep = KeepDocuments::InStore);

  /// Finds and fetches the contexts and the Dockerfile, if it is not a definition that is built. Throws as
  /// BuildContexts::load() does.
  void load(std::stop_token stop);

  const BuildContexts& contexts() const { return contexts_; }
  ImageSource& images() { return images_; }
  RemoteSources& remote() { return remote_; }

  /// What the frontend needs to know of the request.
  dockerfile::LowerOptions lower_options() const;

 private:
  const BuildRequest& request_;
  HttpDownloader downloader_;
  HttpSource http_;
  GitSource git_;
  RemoteSources remote_;
  ImageSource images_;
  BuildContexts contexts_;
};

}  // namespace slipway
