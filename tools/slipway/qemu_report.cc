#include "slipway/qemu_report.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/strings.h"
#include "platforms/cpu_level.h"
#include "slipway/table.h"

namespace slipway {

namespace {

using Json = nlohmann::ordered_json;

const char* name_of(PlatformReport::Runs runs) {
  return runs == PlatformReport::Runs::Natively   ? "natively"
         : runs == PlatformReport::Runs::Emulated ? "emulated"
                                                  : "not here";
}

const char* name_of(PlatformReport::Test test) {
  return test == PlatformReport::Test::Passed ? "ok" : test == PlatformReport::Test::NotYet ? "not yet" : "";
}

std::string why_native(const Platform& platform) {
  const Platform host = Platform::host();
  if (platform == host) return "this machine's own";
  return platform.architecture() == host.architecture() ? "this CPU has it" : "this CPU and kernel run it";
}

PlatformReport report(Emulators& emulators, const EmulatorSearch& search, const Platform& platform) {
  PlatformReport result{.platform = platform};
  if (const auto missing = missing_cpu_level(Platform::host(), platform)) {
    result.how = concat("this CPU is no ", *missing);
    return result;
  }
  Execution execution;
  try {
    execution = choose_execution(Platform::host(), platform, EmulationPolicy::Auto, search);
  } catch (const HostError& e) {
    result.how = e.message();
    return result;
  }
  result.skipped = execution.skipped;
  if (execution.kind == Execution::Kind::Native) {
    result.runs = PlatformReport::Runs::Natively;
    result.how = why_native(platform);
    return result;
  }
  result.runs = PlatformReport::Runs::Emulated;
  result.program = execution.emulator ? execution.emulator->program.native() : "an unseen emulator";
  result.version = execution.emulator ? execution.emulator->version : "";
  result.origin = execution.origin;
  const bool tested = !execution.emulator || emulators.records().find_test(platform, execution);
  result.test = tested ? PlatformReport::Test::Passed : PlatformReport::Test::NotYet;
  const auto measured = emulators.records().find_slowdown(platform);
  result.measured = measured.has_value();
  result.slowdown = measured ? measured->factor : usual_slowdown(platform);
  return result;
}

std::string one_decimal(double number) {
  const long tenths = std::lround(number * 10);
  return concat(tenths / 10, ".", tenths % 10);
}

}  // namespace

std::vector<Platform> reported_platforms() {
  return parse_platform_list(
      "linux/amd64,linux/amd64/v2,linux/amd64/v3,linux/amd64/v4,linux/386,linux/arm64,linux/arm/v7,"
      "linux/arm/v6,linux/ppc64le,linux/s390x,linux/riscv64,linux/mips64le");
}

std::vector<PlatformReport> report_platforms(Emulators& emulators, const std::vector<Platform>& platforms) {
  EmulatorSearch search = emulators.search();
  search.test = [&](const Platform& platform, const Execution& execution) {
    return emulators.records().find_test(platform, execution).value_or("");
  };
  std::vector<PlatformReport> reports;
  for (const Platform& platform : platforms) reports.push_back(report(emulators, search, platform));
  return reports;
}

std::string report_table(const std::vector<PlatformReport>& reports) {
  Table table({"PLATFORM", "RUNS", "BY", "VERSION", "FROM", "SELF-TEST", "SLOWER"});
  std::string notes;
  for (const PlatformReport& one : reports) {
    const bool emulated = one.runs == PlatformReport::Runs::Emulated;
    const bool absent = one.runs == PlatformReport::Runs::No;
    table.add(
        {one.platform.str(), name_of(one.runs),
         emulated ? one.program
         : absent ? ""
                  : one.how,
         one.version, one.origin, name_of(one.test),
         emulated ? concat(one_decimal(one.slowdown), "x", one.measured ? "" : " (usual)") : std::string()});
    if (absent) notes += concat(one.platform.str(), ": ", one.how, "\n");
    for (const std::string& skipped : one.skipped)
      notes += concat(one.platform.str(), ": passed over ", skipped, "\n");
  }
  return table.text() + (notes.empty() ? "" : "\n" + notes);
}

std::string report_json(const std::vector<PlatformReport>& reports) {
  std::string lines;
  for (const PlatformReport& one : reports) {
    Json line = {{"platform", one.platform.str()},
                 {"runs", one.runs == PlatformReport::Runs::No ? "no" : name_of(one.runs)}};
    if (!one.how.empty()) line["why"] = one.how;
    if (one.runs == PlatformReport::Runs::Emulated) {
      line["emulator"] = one.program;
      line["version"] = one.version;
      line["from"] = one.origin;
      line["selfTest"] = one.test == PlatformReport::Test::Passed ? "ok" : "not yet";
      line["slowdown"] = one.slowdown;
      line["measured"] = one.measured;
    }
    if (!one.skipped.empty()) line["passedOver"] = one.skipped;
    lines += line.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  }
  return lines;
}

}  // namespace slipway
