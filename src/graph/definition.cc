#include "graph/definition.h"

#include <algorithm>
#include <cstdint>
#include <optional>

#include "base/error.h"
#include "base/strings.h"
#include "graph/codec.h"
#include "graph/op_name.h"
#include "graph/wire.h"
#include "llb.pb.h"

namespace slipway {

namespace {

constexpr const char* kCustomName = "llb.customname";
constexpr std::size_t kMostBytes = std::size_t{64} << 20;
constexpr int kMostOps = 100'000;
constexpr std::size_t kLongestName = 1000;

/// The places of an op that was received, as they came.
void put_locations(const Vertex& vertex, std::size_t sources, llb::Source* out) {
  llb::Locations all;
  all.ParseFromString(vertex.info.locations);
  const auto is_in_none = [&](const llb::Location& location) {
    return location.source_index() < 0 || static_cast<std::size_t>(location.source_index()) >= sources;
  };
  auto& places = *all.mutable_locations();
  places.erase(std::remove_if(places.begin(), places.end(), is_in_none), places.end());
  if (!places.empty()) (*out->mutable_locations())[vertex.digest.str()] = std::move(all);
}

void put_location(const Vertex& vertex, const std::vector<SourceText>& sources, llb::Source* out) {
  if (!vertex.info.locations.empty()) return put_locations(vertex, sources.size(), out);
  if (!vertex.info.location) return;
  const SourceLocation& at = *vertex.info.location;
  const auto text = std::ranges::find(sources, at.file, &SourceText::name);
  if (text == sources.end()) return;
  llb::Location* location = (*out->mutable_locations())[vertex.digest.str()].add_locations();
  location->set_source_index(static_cast<std::int32_t>(text - sources.begin()));
  llb::Range* range = location->add_ranges();
  for (llb::Position* position : {range->mutable_start(), range->mutable_end()}) {
    position->set_line(at.line);
    position->set_character(std::max(at.column - 1, 0));  // from 0 there
  }
}

/// Where the texts' lines begin, found when first asked for; of large texts no line is shown.
class Places {
 public:
  Places(const llb::Source& source, const std::vector<SourceText>& texts)
      : source_(source), texts_(texts), starts_(texts.size()) {}

  std::optional<SourceLocation> of(const std::string& digest) {
    const auto found = source_.locations().find(digest);
    if (found == source_.locations().end()) return std::nullopt;
    for (const llb::Location& location : found->second.locations()) {
      const auto index = static_cast<std::size_t>(location.source_index());
      if (location.source_index() < 0 || index >= texts_.size() || location.ranges_size() == 0) continue;
      const llb::Position& start = location.ranges(0).start();
      if (start.line() < 1) continue;
      return SourceLocation{.file = texts_[index].name,
                            .line = start.line(),
                            .column = std::clamp(start.character(), 0, 1 << 20) + 1,
                            .line_text = line_of(index, static_cast<std::size_t>(start.line()) - 1)};
    }
    return std::nullopt;
  }

 private:
  std::string line_of(std::size_t index, std::size_t line) {
    constexpr std::size_t kLargest = std::size_t{1} << 20;
    constexpr std::size_t kLongest = 1000;
    const std::string_view text = texts_[index].text;
    if (text.size() > kLargest) return "";
    std::vector<std::uint32_t>& starts = starts_[index];
    if (starts.empty()) {
      starts.push_back(0);
      for (std::size_t at = 0; (at = text.find('\n', at)) != std::string_view::npos;)
        starts.push_back(static_cast<std::uint32_t>(++at));
    }
    if (line >= starts.size()) return "";
    const std::string_view rest = text.substr(starts[line]);
    return std::string(rest.substr(0, std::min(rest.find('\n'), kLongest)));
  }

  const llb::Source& source_;
  const std::vector<SourceText>& texts_;
  std::vector<std::vector<std::uint32_t>> starts_;
};

/// What the operation was named by who made it; empty: nothing.
std::string given_name(const llb::Definition& definition, const std::string& digest) {
  const auto metadata = definition.metadata().find(digest);
  if (metadata == definition.metadata().end()) return {};
  const auto name = metadata->second.description().find(kCustomName);
  return name == metadata->second.description().end() ? std::string() : name->second.substr(0, kLongestName);
}

/// Adds the context that tells which operation it is about.
template <class Work>
auto telling(int index, const std::string& name, Work work) {
  try {
    return work();
  } catch (Error& e) {
    e.add_context(name.empty() ? concat("operation ", index + 1)
                               : concat("operation ", index + 1, " (", name, ")"));
    throw;
  }
}

void add_op(const llb::Definition& in, int index, Graph& graph, Places& places) {
  const std::string& bytes = in.def(index);
  const std::string digest = Digest::of(bytes).str();
  VertexInfo info{.name = given_name(in, digest), .location = places.of(digest)};
  if (const auto found = in.source().locations().find(digest); found != in.source().locations().end())
    info.locations = serialise(found->second);
  if (const auto metadata = in.metadata().find(digest); metadata != in.metadata().end()) {
    info.ignore_cache = metadata->second.ignore_cache();
    info.metadata = serialise(metadata->second);
  }
  telling(index, info.name, [&] {
    Op op = decode_op(bytes);
    for (const Input& input : op.inputs)
      if (!graph.contains(input.vertex))
        throw InvalidInput(concat("its input ", input.vertex.str(), " is no operation before it"));
    if (info.name.empty()) info.name = describe_op(op);
    return graph.add_received(std::move(op), bytes, std::move(info), {});
  });
}

}  // namespace

std::string encode_definition(const Graph& graph, const Input& result,
                              const std::vector<SourceText>& sources) {
  llb::Definition definition;
  for (const Digest& digest : graph.reachable_from({result.vertex})) {
    const Vertex& vertex = graph.at(digest);
    definition.add_def(vertex.bytes());
    llb::OpMetadata& metadata = (*definition.mutable_metadata())[digest.str()];
    metadata.ParseFromString(vertex.info.metadata);  // with the fields that are not in our .proto
    metadata.set_ignore_cache(vertex.info.ignore_cache);
    (*metadata.mutable_description())[kCustomName] = vertex.info.name;
    put_location(vertex, sources, definition.mutable_source());
  }
  for (const SourceText& source : sources) {
    llb::SourceInfo* info = definition.mutable_source()->add_infos();
    info->set_filename(source.name);
    info->set_data(source.text);
    info->set_language(source.language);
    info->set_definition(source.definition);
  }
  llb::Op end;
  llb::Input* input = end.add_inputs();
  input->set_digest(result.vertex.str());
  input->set_index(result.index);
  definition.add_def(serialise(end));
  return serialise(definition);
}

Definition decode_definition(std::string_view bytes) {
  if (bytes.empty()) throw InvalidInput("it is empty");
  if (bytes.size() > kMostBytes) throw InvalidInput("it is larger than 64 MiB");
  llb::Definition in;
  if (!in.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())) || in.def_size() == 0)
    throw InvalidInput("it is no LLB definition");
  if (in.def_size() - 1 > kMostOps)  // the last one only names the result
    throw InvalidInput(concat("it has more than ", kMostOps, " operations"));

  const int last = in.def_size() - 1;
  llb::Op end;
  if (!end.ParseFromString(in.def(last)) || end.op_case() != llb::Op::OP_NOT_SET || end.inputs_size() != 1)
    throw InvalidInput("it does not end in an operation that only names the result");

  std::vector<SourceText> sources;
  for (const llb::SourceInfo& info : in.source().infos())
    sources.push_back({.name = info.filename().substr(0, kLongestName),
                       .text = info.data(),
                       .language = info.language(),
                       .definition = info.definition()});
  Places places(in.source(), sources);
  Graph graph;
  for (int i = 0; i < last; ++i) add_op(in, i, graph, places);

  const llb::Input& result = end.inputs(0);
  const Digest digest = telling(last, "the result", [&] { return Digest::parse(result.digest()); });
  if (!graph.contains(digest)) throw InvalidInput("the result that it names is none of its operations");
  if (result.index() < 0 || result.index() > kMostOps)
    throw InvalidInput(concat("the result that it names has no output ", result.index()));
  return {.graph = std::move(graph),
          .result = digest,
          .result_index = static_cast<int>(result.index()),
          .sources = std::move(sources)};
}

}  // namespace slipway
