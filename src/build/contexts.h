#pragma once
// What a build reads besides images: the context, the Dockerfile and named contexts, from wherever they are.
// Remote and archived ones are brought into directories of the store first; from there on all are alike.
#include <filesystem>
#include <map>
#include <stop_token>
#include <string>
#include <vector>

#include "build/build_request.h"
#include "build/context_fetch.h"
#include "build/dockerfile_file.h"
#include "content/store.h"
#include "dockerfile/lower.h"
#include "nodes/image_source.h"
#include "nodes/local_contexts.h"
#include "nodes/remote_sources.h"

namespace slipway {

/// The registry, which there is none of, that images of oci-layout:// contexts are named by.
inline constexpr const char* kLayoutDomain = "oci-layout.invalid";

/// Lives as long as the build reads from it. One owner, not thread-safe.
class BuildContexts {
 public:
  /// All of it is borrowed.
  BuildContexts(Store& store, RemoteSources& remote, ImageSource& images)
      : store_(store), remote_(remote), images_(images), fetch_(store, remote) {}

  /// Finds, fetches and unpacks all that `request` names. Throws UsageError for what is not on this machine,
  /// InvalidInput for bad archives and refs, and as RemoteSources does.
  void load(const BuildRequest& request, std::stop_token stop);
  /// The same for a request with a definition, which has no Dockerfile: directories for its local sources and
  /// the layouts of images.
  void load_for_definition(const BuildRequest& request);

  // After load():
  const DockerfileFile& dockerfile() const { return dockerfile_; }
  const std::map<std::string, dockerfile::NamedContext>& named() const { return named_; }
  /// What came from elsewhere: "context", "dockerfile", and local sources of named contexts.
  const std::map<std::string, SourceVersion>& origins() const { return origins_; }
  /// Adds "context" if there is one, and what the named contexts of kind Local call their own.
  void add_to(LocalContexts& contexts) const;

 private:
  struct Directory {
    std::filesystem::path path;
    std::string shown;
    std::vector<std::string> ignore_patterns;
  };
  void load_local_source(const BuildRequest& request, const std::string& name,
                         const std::vector<std::string>& patterns);
  void load_main(const BuildRequest& request, std::stop_token stop);
  void take_fetched(const BuildRequest& request, FetchedContext context, std::stop_token stop);
  void load_named(const std::string& name, const std::string& value, std::stop_token stop);
  void add_layout(const std::string& name, std::string_view spec);
  void add_fetched(const std::string& name, FetchedContext context);
  void add_local(const std::string& name, Directory directory);

  Store& store_;
  RemoteSources& remote_;
  ImageSource& images_;
  ContextFetch fetch_;
  Directory main_;
  DockerfileFile dockerfile_;
  std::map<std::string, dockerfile::NamedContext> named_;
  std::map<std::string, SourceVersion> origins_;
  std::map<std::string, Directory> locals_;  ///< of the named ones, by the name of their local source
};

/// What NAME of --build-context is looked up as: lower case, familiar, without ":latest"; "::PLATFORM"
/// behind it stays. Throws UsageError.
std::string named_context_key(const std::string& name);

}  // namespace slipway
