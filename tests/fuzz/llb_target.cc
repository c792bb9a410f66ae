#include "fuzz/llb_target.h"

#include <cstdlib>

#include "base/error.h"
#include "graph/codec.h"
#include "graph/definition.h"
#include "graph/root_image.h"

namespace slipway::testing {

namespace {

void try_definition(std::string_view bytes) {
  const Definition definition = decode_definition(bytes);
  for (const Vertex& vertex : definition.graph.vertices()) {
    if (Digest::of(vertex.bytes()) != vertex.digest) std::abort();
    root_image(definition.graph, vertex.digest);
  }
  const std::string written =
      encode_definition(definition.graph, {definition.result, definition.result_index}, definition.sources);
  const Definition again = decode_definition(written);
  if (again.result != definition.result) std::abort();
  const std::string same = encode_definition(again.graph, {again.result, again.result_index}, again.sources);
  if (same != written) std::abort();
}

void try_op(std::string_view bytes) {
  const std::string written = encode_op(decode_op(bytes));
  if (encode_op(decode_op(written)) != written) std::abort();
}

}  // namespace

void try_llb(std::string_view bytes) {
  for (const auto attempt : {try_definition, try_op}) {
    try {
      attempt(bytes);
    } catch (const InvalidInput&) {
    }
  }
}

}  // namespace slipway::testing
