#include "build/definition_lowering.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "base/error.h"
#include "base/strings.h"
#include "build/definition_checks.h"
#include "cache/cache_key.h"

namespace slipway {

namespace {

constexpr std::string_view kImageScheme = "docker-image://";
constexpr std::string_view kLayoutScheme = "oci-layout://";

/// What is wrong with an operation is said with its name, and is the caller's to mend.
template <class Work>
auto naming(const Vertex& vertex, Work work) {
  const auto named = [&](const Error& e) {
    UsageError error(
        concat("operation \"", vertex.info.name, "\" (sha256:", vertex.digest.short_hex(), "): ", e.what()));
    error.set_hint(e.hint());
    return error;
  };
  try {
    return work();
  } catch (const InvalidInput& e) {
    throw named(e);
  } catch (const UsageError& e) {
    throw named(e);
  }
}

std::vector<std::string> pattern_attribute(const SourceOp& source, const char* name) {
  const auto found = source.attrs.find(name);
  if (found == source.attrs.end()) return {};
  try {
    return nlohmann::json::parse(found->second).get<std::vector<std::string>>();
  } catch (const nlohmann::json::exception&) {
    throw InvalidInput(concat("its ", name, " is no list of patterns"));
  }
}

std::vector<std::string> patterns_of(const SourceOp& source) {
  std::vector<std::string> patterns;
  for (const std::string& included : pattern_attribute(source, "local.includepattern")) {
    if (patterns.empty()) patterns.push_back("**");
    patterns.push_back(concat("!", included));
  }
  for (std::string& excluded : pattern_attribute(source, kAttrExcludePatterns))
    patterns.push_back(std::move(excluded));
  return patterns;
}

bool is_local(const Graph& graph, const Digest& vertex) {
  return !local_source_name(graph.at(vertex).op).empty();
}

/// Inputs that are used as trees that steps change, or that lie over one another: a local source is none.
std::set<std::size_t> inputs_used_as_trees(const Op& op) {
  std::set<std::size_t> used;
  const auto use = [&](int index) {
    if (index >= 0 && static_cast<std::size_t>(index) < op.inputs.size())
      used.insert(static_cast<std::size_t>(index));
  };
  if (const auto* exec = std::get_if<ExecOp>(&op.what)) {
    for (const Mount& mount : exec->mounts)
      if (mount.dest == "/") use(mount.input);
  } else if (const auto* file = std::get_if<FileOp>(&op.what)) {
    for (const FileAction& action : file->actions)
      use(std::visit([](const auto& any) { return any.base; }, action));
  } else {
    for (std::size_t i = 0; i < op.inputs.size(); ++i) used.insert(i);
  }
  return used;
}

class Lowering {
 public:
  Lowering(const Definition& definition, const DefinitionOptions& options,
           dockerfile::ImageResolver& resolver, std::stop_token stop)
      : definition_(definition),
        options_(options),
        resolver_(resolver),
        stop_(std::move(stop)),
        platform_(platform_of_image()) {}

  dockerfile::Lowered run() {
    expect_images();
    for (const Digest& digest : definition_.graph.reachable_from({definition_.result}))
      naming(definition_.graph.at(digest), [&] { add(definition_.graph.at(digest)); });
    check_output(definition_.graph.at(definition_.result), definition_.result_index);
    Digest result = now_.at(definition_.result);
    if (is_local(lowered_.graph, result)) result = tree_of(result);
    lowered_.lanes.push_back({.platform = platform_, .result = result, .config = config()});
    lowered_.lanes.back().history_of_layers = true;
    return std::move(lowered_);
  }

 private:
  void expect_images() const {
    std::vector<dockerfile::WantedImage> wanted;
    for (const Digest& digest : definition_.graph.reachable_from({definition_.result})) {
      const Vertex& vertex = definition_.graph.at(digest);
      const auto* source = std::get_if<SourceOp>(&vertex.op.what);
      if (source == nullptr) continue;
      naming(vertex, [&] {
        if (const auto image = image_of(*source))
          wanted.push_back({.ref = *image, .platform = vertex.op.platform.value_or(platform_)});
      });
    }
    resolver_.expect(wanted, stop_);
  }

  Platform platform_of_image() const {
    if (options_.platform) return *options_.platform;
    const std::vector<Digest> needed = definition_.graph.reachable_from({definition_.result});
    for (auto digest = needed.rbegin(); digest != needed.rend(); ++digest)
      if (const auto& platform = definition_.graph.at(*digest).op.platform) return *platform;
    return Platform::host();
  }

  /// What is known of an image whose maker did not say how it is to be run.
  ImageConfig config() const {
    ImageConfig config{.platform = platform_};
    config.config.env = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"};
    config.config.working_dir = "/";
    return config;
  }

  void check_output(const Vertex& producer, int index) const {
    naming(producer, [&] {
      if (usable_output(producer.op) != index)
        throw InvalidInput(concat("its result ", index,
                                  " is asked for, and slipway's steps have one: the root file system, or "
                                  "what the last file action made"));
    });
  }

  void add(const Vertex& vertex) {
    Op op = vertex.op;
    if (auto* exec = std::get_if<ExecOp>(&op.what)) settle_paths(*exec);
    check_runnable(op);
    bool same = true;
    for (Input& input : op.inputs) {
      check_output(definition_.graph.at(input.vertex), input.index);
      const Digest& now = now_.at(input.vertex);
      same = same && now == input.vertex;
      input.vertex = now;
    }
    for (const std::size_t index : inputs_used_as_trees(op))
      if (is_local(lowered_.graph, op.inputs[index].vertex)) {
        op.inputs[index].vertex = tree_of(op.inputs[index].vertex);
        same = false;
      }
    if (auto* source = std::get_if<SourceOp>(&op.what)) same = pin(*source, op.platform) && same;
    VertexInfo info = vertex.info;
    info.ignore_cache = info.ignore_cache || options_.no_cache;
    now_.emplace(vertex.digest,
                 same ? lowered_.graph.add_received(std::move(op), vertex.bytes(), std::move(info), platform_)
                      : lowered_.graph.add(std::move(op), std::move(info), platform_));
  }

  /// Returns whether the source stays what it was.
  bool pin(SourceOp& source, const std::optional<Platform>& platform) {
    const std::optional<ImageRef> asked = image_of(source);
    if (!asked) return true;
    const ImageRef pinned = resolver_.resolve(*asked, platform.value_or(platform_), stop_).pinned;
    SourceOp now{.identifier = concat(kImageScheme, pinned.str()), .attrs = source.attrs};
    if (source.identifier.starts_with(kLayoutScheme)) now.attrs.clear();
    const bool same = now.identifier == source.identifier;
    source = std::move(now);
    return same;
  }

  /// Nothing for sources of other kinds.
  std::optional<ImageRef> image_of(const SourceOp& source) const {
    if (source.identifier.starts_with(kLayoutScheme)) return ImageRef::parse(layout_image(source));
    if (source.identifier.starts_with(kImageScheme))
      return ImageRef::parse(source.identifier.substr(kImageScheme.size()));
    return std::nullopt;
  }

  std::string layout_image(const SourceOp& source) const {
    const std::string id = source.identifier.substr(kLayoutScheme.size());
    const std::size_t at = id.find('@');
    const auto given = source.attrs.find(kAttrOciStore);
    const std::string store = given == source.attrs.end() ? id.substr(0, at) : given->second;
    const auto layout = options_.layouts.find(store);
    if (layout == options_.layouts.end()) {
      UsageError missing(concat("it reads the OCI layout \"", store, "\", which was not given"));
      missing.set_hint(concat("name its directory: --build-context ", store, "=oci-layout://DIRECTORY"));
      throw missing;
    }
    return at == std::string::npos
               ? layout->second
               : ImageRef::parse(layout->second).with_digest(Digest::parse(id.substr(at + 1))).str();
  }

  /// A copy of a local source, which belongs to root.
  Digest tree_of(const Digest& local) {
    const CopyAction copy{.base = kNoInput,
                          .from = 0,
                          .src = "/",
                          .dest = "/",
                          .copy_dir_contents = true,
                          .allow_wildcard = false};
    Op op{.inputs = {{local}}, .what = FileOp{{copy}}, .platform = {}};
    const std::string name = concat("copy ", lowered_.graph.at(local).info.name);
    return lowered_.graph.add(std::move(op),
                              {.name = name, .location = {}, .ignore_cache = options_.no_cache}, platform_);
  }

  const Definition& definition_;
  const DefinitionOptions& options_;
  dockerfile::ImageResolver& resolver_;
  const std::stop_token stop_;
  const Platform platform_;
  dockerfile::Lowered lowered_;
  std::map<Digest, Digest> now_;  ///< what each vertex of the definition has become
};

}  // namespace

std::map<std::string, std::vector<std::string>> local_sources(const Definition& definition) {
  std::map<std::string, std::vector<std::string>> sources;
  for (const Digest& digest : definition.graph.reachable_from({definition.result})) {
    const Vertex& vertex = definition.graph.at(digest);
    const std::string name = local_source_name(vertex.op);
    if (name.empty()) continue;
    naming(vertex, [&] {
      std::vector<std::string> patterns = patterns_of(std::get<SourceOp>(vertex.op.what));
      const auto [known, is_new] = sources.try_emplace(name, patterns);
      if (!is_new && known->second != patterns)
        throw InvalidInput(
            concat("the local source \"", name, "\" is read with different patterns elsewhere"));
    });
  }
  return sources;
}

dockerfile::Lowered lower_definition(const Definition& definition, const DefinitionOptions& options,
                                     dockerfile::ImageResolver& resolver, std::stop_token stop) {
  return Lowering(definition, options, resolver, std::move(stop)).run();
}

}  // namespace slipway
