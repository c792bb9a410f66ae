#include "build/emulator_records.h"

#include <sys/stat.h>
#include <sys/utsname.h>

#include <functional>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/files.h"
#include "base/regular_file.h"
#include "base/strings.h"
#include "qemu/self_test.h"

namespace slipway {

namespace {

using Json = nlohmann::json;
constexpr const char* kFile = "known.json";

// The emulator's file as it is now; the kernel may have another one open for what is registered with it, but
// that one has no identity that can be asked for.
std::string key_of(const Platform& platform, const Execution& execution) {
  struct utsname kernel {};
  ::uname(&kernel);
  struct stat status {};
  const std::string program = execution.emulator ? execution.emulator->program.native() : "";
  ::stat(program.c_str(), &status);
  return concat(qemu_architecture(platform).value_or(""), " ", SelfTest::program_id(platform), " ",
                execution.kind == Execution::Kind::HostBinfmt ? "registered " : "", program, " ",
                status.st_size, " ", status.st_mtim.tv_sec, ".", status.st_mtim.tv_nsec, " ",
                static_cast<std::uint64_t>(status.st_ino), " ", kernel.release);
}

Json read_known(const std::filesystem::path& directory) {
  const auto text = read_regular_file_if_exists(directory / kFile);
  Json json = text ? Json::parse(*text, nullptr, /*allow_exceptions=*/false) : Json();
  return json.is_object() ? json : Json::object();
}

// The member of an object in the file, if both are what they should be.
const Json* find_in(const Json& known, const char* section, const std::string& key, Json::value_t type) {
  const auto part = known.find(section);
  if (part == known.end() || !part->is_object()) return nullptr;
  const auto found = part->find(key);
  return found != part->end() && found->type() == type ? &*found : nullptr;
}

void change(const std::filesystem::path& directory, Logger& logger, const std::function<void(Json&)>& edit) {
  try {
    std::filesystem::create_directories(directory);
    Json known = read_known(directory);
    edit(known);
    write_file_atomic(directory / kFile, known.dump(1, ' ', false, Json::error_handler_t::replace) + "\n");
  } catch (const Error& e) {
    logger.log(LogLevel::Warning, concat("what was found out about emulators is not kept: ", e.what()));
  } catch (const std::filesystem::filesystem_error& e) {
    logger.log(LogLevel::Warning, concat("what was found out about emulators is not kept: ", e.what()));
  }
}

Json& section_of(Json& known, const char* section) {
  Json& part = known[section];
  if (!part.is_object()) part = Json::object();
  return part;
}

}  // namespace

std::optional<std::string> EmulatorRecords::find_test(const Platform& platform,
                                                      const Execution& execution) const {
  const Json known = read_known(directory_);
  const Json* verdict = find_in(known, "selfTests", key_of(platform, execution), Json::value_t::string);
  if (!verdict) return std::nullopt;
  return verdict->get<std::string>();
}

void EmulatorRecords::put_test(const Platform& platform, const Execution& execution,
                               const std::string& verdict) {
  change(directory_, logger_,
         [&](Json& known) { section_of(known, "selfTests")[key_of(platform, execution)] = verdict; });
}

std::optional<MeasuredSlowdown> EmulatorRecords::find_slowdown(const Platform& platform) const {
  const Json known = read_known(directory_);
  const Json* found = find_in(known, "slowdowns", platform.str(), Json::value_t::object);
  if (!found) return std::nullopt;
  MeasuredSlowdown slowdown;
  try {
    slowdown.factor = found->at("factor").get<double>();
    slowdown.start_ms = found->at("startMs").get<double>();
    slowdown.version = found->at("emulator").get<std::string>();
    slowdown.measured = found->at("measured").get<std::int64_t>();
  } catch (const Json::exception&) {  // written by somebody else
    return std::nullopt;
  }
  return slowdown;
}

void EmulatorRecords::put_slowdown(const Platform& platform, const MeasuredSlowdown& slowdown) {
  change(directory_, logger_, [&](Json& known) {
    section_of(known, "slowdowns")[platform.str()] = {{"factor", slowdown.factor},
                                                      {"startMs", slowdown.start_ms},
                                                      {"emulator", slowdown.version},
                                                      {"measured", slowdown.measured}};
  });
}

}  // namespace slipway
