#pragma once
// Lowering a Dockerfile in a test, and looking at what came out.
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "dockerfile/lower.h"
#include "support/fake_image_resolver.h"

namespace slipway::testing {

/// Options for a build machine of linux/amd64.
inline dockerfile::LowerOptions options_for(const std::vector<std::string>& platforms) {
  dockerfile::LowerOptions out;
  out.build_platform = Platform::parse("linux/amd64");
  for (const std::string& platform : platforms) out.platforms.push_back(Platform::parse(platform));
  return out;
}

/// alpine and golang for amd64 and arm64.
inline FakeImageResolver usual_images() {
  FakeImageResolver out;
  RuntimeConfig config;
  config.env = {"PATH=/usr/bin:/bin"};
  config.cmd = {"/bin/sh"};
  out.add("alpine", {"linux/amd64", "linux/arm64"}, config);
  out.add("golang", {"linux/amd64", "linux/arm64"}, config);
  return out;
}

inline dockerfile::Lowered lower_text(std::string_view text, const dockerfile::LowerOptions& options,
                                      FakeImageResolver resolver = usual_images()) {
  const dockerfile::Dockerfile file = dockerfile::parse("Dockerfile", text);
  return dockerfile::lower(file, options, resolver, {});
}

inline dockerfile::Lowered lower_text(std::string_view text) { return lower_text(text, options_for({"linux/amd64"})); }

/// The config of the only lane.
inline ImageConfig config_of(std::string_view text) { return lower_text(text).lanes.front().config; }

template <class T>
std::vector<T> ops_of(const dockerfile::Lowered& lowered) {
  std::vector<T> out;
  for (const Vertex& vertex : lowered.graph.vertices())
    if (const T* op = std::get_if<T>(&vertex.op.what)) out.push_back(*op);
  return out;
}

inline std::vector<std::string> names_of(const dockerfile::Lowered& lowered) {
  std::vector<std::string> out;
  for (const Vertex& vertex : lowered.graph.vertices()) out.push_back(vertex.info.name);
  return out;
}

inline std::vector<std::string> history_of(const ImageConfig& config) {
  std::vector<std::string> out;
  for (const History& entry : config.history) out.push_back(entry.created_by);
  return out;
}

/// What `text` is refused with; fails the test if it is not.
inline InvalidInput refusal_of(std::string_view text, const dockerfile::LowerOptions& options = options_for({"linux/amd64"}),
                               FakeImageResolver resolver = usual_images()) {
  try {
    lower_text(text, options, std::move(resolver));
  } catch (const InvalidInput& error) {
    return error;
  }
  ADD_FAILURE() << "not refused: " << text;
  return InvalidInput("not refused");
}

}  // namespace slipway::testing
