#include "nodes/content_keys.h"

#include <string>
#include <utility>

#include "base/error.h"
#include "base/strings.h"
#include "cache/content_key.h"
#include "content/tree.h"
#include "nodes/file_actions.h"
#include "nodes/source_trees.h"

namespace slipway {

namespace {

// Digests are remembered under it: it changes when digest_selection() gives others.
constexpr std::string_view kDigestFormat = "slipway tree v1";

class ContentKeyMaker {
 public:
  ContentKeyMaker(Store& store, LocalContexts& contexts, const Vertex& vertex,
                  const std::vector<VertexResult>& inputs, std::stop_token stop)
      : store_(store), contexts_(contexts), vertex_(vertex), inputs_(inputs), stop_(std::move(stop)) {}

  ContentKeys compute() {
    std::vector<std::string> here, in_caches;
    const auto add = [&](const std::string& text) {
      here.push_back(text);
      in_caches.push_back(text);
    };
    const std::vector<InputReads> reads = input_reads(vertex_);
    for (std::size_t i = 0; i < reads.size(); ++i) {
      const VertexResult& input = inputs_.at(i);
      if (!input.context.empty()) {
        for (const CopyAction& selection : reads[i].selections)
          add(concat("part ", contexts_.seen(input.context, selection, vertex_, stop_).str()));
      } else if (reads[i].whole) {
        add(name_of_tree(input.snapshot));
        if (input.name_in_caches) in_caches.back() = concat("tree ", input.name_in_caches->str());
      } else {
        for (const CopyAction& selection : reads[i].selections)
          add(concat("part ", digest_of(static_cast<int>(i), input.snapshot, selection).str()));
      }
    }
    return {.here = content_key(vertex_, here), .in_caches = content_key(vertex_, in_caches)};
  }

 private:
  std::string name_of_tree(const std::optional<SnapshotId>& snapshot) {
    if (!snapshot) return "no tree";
    return concat("tree ", store_.results().name_of(*snapshot).str());
  }

  Digest digest_of(int input, const std::optional<SnapshotId>& snapshot, const CopyAction& selection) {
    const Digest name = Digest::of(concat(kDigestFormat, "\n", selection_key("", selection)));
    if (snapshot)
      if (const auto known = store_.results().tree_digest(*snapshot, name)) return *known;
    if (!trees_) trees_.emplace(store_, contexts_, inputs_);
    const CopyPatterns patterns(selection);
    Selection selected = patterns.select_in(*trees_->open(input).tree, nullptr);
    selected.of_store = true;
    const Digest digest = digest_selection(selected, /*of_context=*/false, nullptr, stop_);
    if (snapshot) store_.results().remember_tree_digest(*snapshot, name, digest);
    return digest;
  }

  Store& store_;
  LocalContexts& contexts_;
  const Vertex& vertex_;
  const std::vector<VertexResult>& inputs_;
  const std::stop_token stop_;
  std::optional<SourceTrees> trees_;  ///< made when the first is to be read
};

}  // namespace

std::optional<ContentKeys> content_keys_of(Store& store, LocalContexts& contexts, const Vertex& vertex,
                                           const std::vector<VertexResult>& inputs, std::stop_token stop) {
  if (std::holds_alternative<SourceOp>(vertex.op.what)) return std::nullopt;
  try {
    return ContentKeyMaker(store, contexts, vertex, inputs, std::move(stop)).compute();
  } catch (const NotFound&) {
    return std::nullopt;
  } catch (const InvalidInput&) {
    return std::nullopt;
  }
}

}  // namespace slipway
