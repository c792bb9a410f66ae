#include "build/recorded_keys.h"

#include "build/build_hider.h"

namespace slipway {

namespace {

/// Passes on what remote sources are, and remembers it.
class RememberedContent final : public RemoteContent {
 public:
  explicit RememberedContent(RemoteContent& remote) : remote_(remote) {}
  std::vector<std::string> identities(const std::vector<const Vertex*>& sources,
                                      std::stop_token stop) override {
    std::vector<std::string> texts = remote_.identities(sources, stop);
    for (std::size_t i = 0; i < sources.size(); ++i) seen.emplace(sources[i]->digest, texts.at(i));
    return texts;
  }
  std::map<Digest, std::string> seen;

 private:
  RemoteContent& remote_;
};

}  // namespace

std::map<Digest, Digest> keys_on_record(const dockerfile::Lowered& lowered, LocalContexts& contexts,
                                        RemoteContent& remote, KeyListener* listener, std::stop_token stop) {
  if (!listener) return cache_keys(lowered.graph, contexts, remote, stop);
  contexts.set_listener(
      [listener](const Vertex& vertex, const std::string& name, const CopyAction& copy,
                 const SelectionList& list) { listener->on_context_read(vertex, name, copy, list); });
  RememberedContent remembered(remote);
  std::map<Digest, Digest> keys = cache_keys(lowered.graph, contexts, remembered, stop);
  listener->on_keys({.graph = lowered.graph,
                     .keys = keys,
                     .identities = std::move(remembered.seen),
                     .args = values_of_args(lowered)});
  return keys;
}

}  // namespace slipway
