#pragma once
// From a Dockerfile's text to graphs: one merged DAG, and per platform the vertex that is its result and the
// image config around it.
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "dockerfile/ast.h"
#include "graph/graph.h"
#include "manifest/image_ref.h"
#include "manifest/oci.h"
#include "platforms/platform.h"

namespace slipway::dockerfile {

/// A base image for one platform, pinned.
struct BaseImage {
  ImageRef pinned;  ///< with the digest of the platform's own manifest
  ImageConfig config;
  bool known = true;  ///< false: it could not be read, and `config` is empty
};

/// An image that somebody is going to ask for.
struct WantedImage {
  ImageRef ref;
  Platform platform;
  auto operator<=>(const WantedImage&) const = default;
};

/// Resolves the images of FROM and COPY --from. Declared here, implemented by who knows stores and
/// registries.
class ImageResolver {
 public:
  virtual ~ImageResolver() = default;
  /// These will be asked for soon, and maybe others: who is far from the images may fetch what it needs of all
  /// of them at once. resolve() tells what fails, not this. `wanted` may have repetitions.
  virtual void expect(const std::vector<WantedImage>& wanted, std::stop_token stop);
  /// Throws NotFound, Denied, TransportError, or InvalidInput if the image has no such platform (naming those
  /// it has).
  virtual BaseImage resolve(const ImageRef& ref, const Platform& platform, std::stop_token stop) = 0;
};

/// What --build-context NAME=… means; it wins over images and stages of that name.
struct NamedContext {
  enum class Kind {
    Local,  ///< a directory: the local source "local://VALUE" of LocalContexts
    Image,  ///< an image reference; what the resolver knows under it
    Stage,  ///< a stage of this Dockerfile
  };
  Kind kind = Kind::Local;
  std::string value;
  std::vector<std::string> ignore_patterns;  ///< of a directory
};

class LintReport;
struct Instruction;

struct LowerOptions {
  std::vector<Platform> platforms;         ///< targets, at least one
  std::optional<Platform> build_platform;  ///< of this machine; Platform::host() if absent
  std::string target;                      ///< stage name or index; empty: the last
  std::map<std::string, std::string> build_args;
  std::map<std::string, std::string> labels;     ///< --label, over the Dockerfile's
  std::vector<std::string> ignore_patterns;      ///< of the context, from read_ignore_file()
  std::map<std::string, NamedContext> contexts;  ///< by name, lower case
  bool no_cache = false;
  std::set<std::string> no_cache_stages;  ///< --no-cache-filter
  bool all_stages = false;       ///< also those that the target does not need; with the last one as target
  bool images_optional = false;  ///< an image that cannot be had is noted in the report and taken as empty
  /// Whether ignore_patterns leave a path (relative to the context) out; for checks only, and may be empty.
  std::function<bool(const std::string& path)> ignored;
  std::vector<ExtraHost> extra_hosts;  ///< --add-host
  std::vector<Ulimit> ulimits;         ///< --ulimit
  std::int64_t shm_size = 0;           ///< bytes of the steps' /dev/shm; 0: 64 MiB
  std::optional<ProxyEnv> proxy;  ///< of the caller's environment or build args; never part of a cache key
};

struct LoweredLane {
  Platform platform;
  /// Nothing for a stage that is FROM scratch and changes no file.
  std::optional<Digest> result;
  /// diff_ids are the base image's only; history is the base's plus one entry an instruction, without
  /// `created` (the exporter knows the times). The n-th new entry that is not empty_layer belongs to the n-th
  /// new layer.
  ImageConfig config;
  std::size_t base_layers = 0;  ///< how many diff_ids and of the history came from the base
  std::size_t base_history = 0;
  /// Nobody knows what made the layers: the history gets an entry for each that says as much.
  bool history_of_layers = false;
};

/// An ARG of a stage, for outlines.
struct StageArgUse {
  std::string name;
  std::optional<std::string> value;
  int stage = 0;
  const Instruction* at = nullptr;  ///< in the Dockerfile that was lowered; null once that is gone
  bool from_global = false;         ///< it has the value of the ARG before the first FROM
};

struct Lowered {
  Graph graph;
  std::vector<LoweredLane> lanes;     ///< one a platform, in the order asked
  std::vector<std::string> warnings;  ///< for people: unused build args and the like
  std::optional<std::int64_t> epoch;  ///< SOURCE_DATE_EPOCH of the Dockerfile, if the build gives none
  int target = 0;                     ///< index of the stage that was asked for
  std::set<int> stages;               ///< indices of those that were lowered
  std::vector<StageArgUse> args;      ///< as the first lane has them, stage by stage
};

/// Only the stages that the target needs are lowered. Throws InvalidInput with the place in the Dockerfile,
/// and what the resolver throws (as InvalidInput with the FROM line, where it is the Dockerfile's fault).
/// What the checks find is put into `report`, also before a throw.
Lowered lower(const Dockerfile& file, const LowerOptions& options, ImageResolver& resolver,
              LintReport& report, std::stop_token stop);
/// For those who want no checks.
Lowered lower(const Dockerfile& file, const LowerOptions& options, ImageResolver& resolver,
              std::stop_token stop);

}  // namespace slipway::dockerfile
