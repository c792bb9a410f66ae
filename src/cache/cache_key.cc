#include "cache/cache_key.h"

#include <utility>
#include <vector>

#include "base/check.h"
#include "base/error.h"
#include "base/strings.h"
#include "content/owner_view.h"
#include "graph/codec.h"

namespace slipway {

namespace {

// Changing what a key covers, or what steps make of the same definition, must change this, so that results of
// an older slipway are not mistaken for ours.
constexpr std::string_view kKeyFormat = "slipway.key.v2";
constexpr std::string_view kLocalScheme = "local://";

// Length-prefixed, so that two fields never read as another two.
void add_field(Sha256& hash, std::string_view field) {
  hash.update(concat(field.size(), ":"));
  hash.update(field);
}

/// What the vertex reads from outside the graph: (input, selection) in an order that its definition decides.
std::vector<std::pair<int, CopyAction>> selections_of(const Vertex& vertex) {
  std::vector<std::pair<int, CopyAction>> selections;
  if (const FileOp* file = std::get_if<FileOp>(&vertex.op.what)) {
    for (const FileAction& action : file->actions)
      if (const CopyAction* copy = std::get_if<CopyAction>(&action))
        selections.emplace_back(copy->from, *copy);
  } else if (const ExecOp* exec = std::get_if<ExecOp>(&vertex.op.what)) {
    for (const Mount& mount : exec->mounts) selections.emplace_back(mount.input, selection_of_mount(mount));
  }
  std::erase_if(selections, [&](const auto& selection) {
    return selection.first < 0 || static_cast<std::size_t>(selection.first) >= vertex.op.inputs.size();
  });
  return selections;
}

std::map<Digest, std::string> remote_identities(const Graph& graph, RemoteContent& remote,
                                                const std::stop_token& stop) {
  std::vector<const Vertex*> sources;
  for (const Vertex& vertex : graph.vertices())
    if (is_remote_source(vertex.op)) sources.push_back(&vertex);
  const std::vector<std::string> texts = remote.identities(sources, stop);
  std::map<Digest, std::string> identities;
  for (std::size_t i = 0; i < sources.size(); ++i) identities.emplace(sources[i]->digest, texts.at(i));
  return identities;
}

}  // namespace

std::string key_format(std::string_view format) {
  return OwnerView().knows_root_only() ? concat(format, " of root's files only") : std::string(format);
}

std::string own_definition(const Vertex& vertex) {
  Op op = vertex.op;
  op.inputs.clear();
  if (ExecOp* exec = std::get_if<ExecOp>(&op.what)) exec->proxy.reset();
  return encode_op(op);
}

CopyAction selection_of_mount(const Mount& mount) {
  return {.from = mount.input,
          .src = mount.selector.empty() ? "/" : mount.selector,
          .dest = "/",
          .follow_symlink = true,
          .copy_dir_contents = true,
          .allow_wildcard = false};
}

bool is_remote_source(const Op& op) {
  const SourceOp* source = std::get_if<SourceOp>(&op.what);
  if (!source) return false;
  for (const char* scheme : {"git://", "http://", "https://"})
    if (source->identifier.starts_with(scheme)) return true;
  return false;
}

std::string local_source_name(const Op& op) {
  const SourceOp* source = std::get_if<SourceOp>(&op.what);
  if (!source || !source->identifier.starts_with(kLocalScheme)) return {};
  return source->identifier.substr(kLocalScheme.size());
}

std::map<Digest, Digest> cache_keys(const Graph& graph, LocalContent& content, RemoteContent& remote,
                                    std::stop_token stop) {
  const std::map<Digest, std::string> identities = remote_identities(graph, remote, stop);
  const std::string format = key_format(kKeyFormat);
  std::map<Digest, Digest> keys;
  for (const Vertex& vertex : graph.vertices()) {
    Sha256 hash;
    add_field(hash, format);
    const auto identity = identities.find(vertex.digest);
    add_field(hash, identity != identities.end() ? identity->second : own_definition(vertex));
    for (const Input& input : vertex.op.inputs)
      if (local_source_name(graph.at(input.vertex).op).empty()) add_field(hash, keys.at(input.vertex).str());
    for (const auto& [input, selection] : selections_of(vertex)) {
      const std::string name =
          local_source_name(graph.at(vertex.op.inputs[static_cast<std::size_t>(input)].vertex).op);
      if (!name.empty()) add_field(hash, content.digest(name, selection, vertex, stop).str());
    }
    keys.emplace(vertex.digest, hash.finish());
  }
  return keys;
}

std::map<Digest, Digest> cache_keys(const Graph& graph, LocalContent& content, std::stop_token stop) {
  class NoRemoteContent final : public RemoteContent {
   public:
    std::vector<std::string> identities(const std::vector<const Vertex*>& sources, std::stop_token) override {
      SLIPWAY_CHECK(sources.empty(), "who has remote sources gives a RemoteContent");
      return {};
    }
  } none;
  return cache_keys(graph, content, none, stop);
}

}  // namespace slipway
