#include "fuzz/dockerfile_target.h"

#include <cstdio>
#include <cstdlib>

#include "dockerfile/commands.h"
#include "dockerfile/lint_report.h"
#include "dockerfile/lower.h"
#include "support/fake_image_resolver.h"

namespace slipway::testing {
namespace {

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::abort();
}

/// Everything that is said of an instruction lies inside the file.
void check_places(const dockerfile::Dockerfile& file) {
  const int lines = static_cast<int>(file.lines.size());
  int last = 0;
  for (const dockerfile::Instruction& instruction : file.instructions) {
    require(instruction.first_line > last, "instructions follow one another");
    require(instruction.last_line >= instruction.first_line && instruction.last_line <= lines,
            "lines are in the file");
    last = instruction.last_line;
    require(instruction.text.empty() == instruction.spans.empty(), "text has places");
    for (std::size_t offset = 0; offset < instruction.text.size(); offset += 97) {
      const SourceLocation at = file.at(instruction, offset);
      require(at.line >= instruction.first_line && at.line <= instruction.last_line,
              "text lies in its instruction");
      require(at.column >= 1 && static_cast<std::size_t>(at.column) <= at.line_text.size() + 1,
              "columns lie in their line");
    }
    for (const dockerfile::Heredoc& heredoc : instruction.heredocs)
      require(!heredoc.name.empty() && heredoc.first_line > instruction.first_line,
              "here-documents follow their line");
  }
}

FakeImageResolver images() {
  FakeImageResolver out;
  RuntimeConfig config;
  config.env = {"PATH=/usr/bin:/bin", "EMPTY="};
  config.working_dir = "/base";
  config.on_build = {"ENV TRIGGERED=$PATH"};
  out.add("a", {"linux/amd64", "linux/arm64"}, config);
  return out;
}

dockerfile::LowerOptions options() {
  dockerfile::LowerOptions out;
  out.build_platform = Platform::parse("linux/amd64");
  out.platforms = {Platform::parse("linux/amd64"), Platform::parse("linux/arm64")};
  out.build_args = {{"A", "from the command line"}, {"B", "*/x\\"}};
  out.all_stages = true;
  return out;
}

}  // namespace

void try_dockerfile(std::string_view text) {
  try {
    const dockerfile::Dockerfile file = dockerfile::parse("Dockerfile", text);
    check_places(file);
    dockerfile::read_program(file);
    FakeImageResolver resolver = images();
    const dockerfile::LowerOptions wanted = options();
    dockerfile::LintReport report;
    report.configure(file, {});
    const dockerfile::Lowered lowered = dockerfile::lower(file, wanted, resolver, report, {});
    require(lowered.lanes.size() == wanted.platforms.size(), "each platform has a lane");
    for (const dockerfile::LoweredLane& lane : lowered.lanes)
      if (lane.result)
        require(!lowered.graph.reachable_from({*lane.result}).empty(), "results are in the graph");
  } catch (const Error& error) {
    require(!error.message().empty(), "errors say something");
    require(describe(error).size() < 100'000, "errors are readable");
  }
}

}  // namespace slipway::testing
