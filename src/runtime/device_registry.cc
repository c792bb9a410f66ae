#include "runtime/device_registry.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "base/error.h"
#include "base/files.h"
#include "base/strings.h"

namespace slipway {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kClass = "org.mobyproject.buildkit.device.class";
constexpr const char* kAutoAllow = "org.mobyproject.buildkit.device.autoallow";

struct Device {
  std::string kind, name;
  std::map<std::string, std::string> annotations;
  std::vector<json> edits;  ///< its own, and those of its file
  fs::path file;
  std::string full_name() const { return concat(kind, "=", name); }
};

struct Devices {
  std::map<std::string, Device> by_name;
  std::vector<std::string> unread;  ///< files that were passed over, and why
};

std::map<std::string, std::string> annotations_of(const json& object) {
  return object.value("annotations", std::map<std::string, std::string>{});
}

void add_file(const fs::path& file, Devices& devices) {
  const json spec = json::parse(read_file(file, std::size_t{16} << 20));
  const std::string kind = spec.at("kind");
  const json edits = spec.value("containerEdits", json::object());
  for (const json& entry : spec.at("devices")) {
    Device device{.kind = kind,
                  .name = entry.at("name"),
                  .annotations = annotations_of(entry),
                  .edits = {edits, entry.value("containerEdits", json::object())},
                  .file = file};
    device.annotations.merge(annotations_of(spec));
    const std::string name = device.full_name();
    devices.by_name.insert_or_assign(name, std::move(device));
  }
}

Devices read_devices(const std::vector<fs::path>& directories) {
  Devices devices;
  for (const fs::path& directory : directories) {
    std::error_code ignored;
    std::set<fs::path> files;
    for (const auto& entry : fs::directory_iterator(directory, ignored)) files.insert(entry.path());
    for (const fs::path& file : files) {
      if (file.extension() == ".yaml" || file.extension() == ".yml")
        devices.unread.push_back(concat(file.native(), " is YAML; slipway reads JSON"));
      if (file.extension() != ".json") continue;
      try {
        add_file(file, devices);
      } catch (const json::exception& e) {
        devices.unread.push_back(concat(file.native(), ": ", std::string_view(e.what())));
      } catch (const Error& e) {
        devices.unread.emplace_back(e.what());
      }
    }
  }
  return devices;
}

bool is_kind(std::string_view text) {
  const auto valid = [](std::string_view part) {
    return !part.empty() && std::ranges::all_of(part, [](unsigned char c) {
      return std::isalnum(c) || c == '.' || c == '-' || c == '_';
    });
  };
  const std::size_t slash = text.find('/');
  return slash != std::string_view::npos && valid(text.substr(0, slash)) && valid(text.substr(slash + 1));
}

std::vector<const Device*> find_devices(const Devices& devices, const std::string& wanted) {
  const std::size_t equals = wanted.find('=');
  const std::string kind = wanted.substr(0, equals);
  const std::string name = equals == std::string::npos ? "" : wanted.substr(equals + 1);
  if (!is_kind(kind)) {
    InvalidInput error(concat("\"", wanted, "\" is no name of a device"));
    error.set_hint("devices are named VENDOR/CLASS=NAME, as in nvidia.com/gpu=0");
    throw error;
  }
  std::vector<const Device*> of_kind, of_class;
  for (const auto& [full_name, device] : devices.by_name) {
    if (device.kind != kind) continue;
    if (!name.empty() && device.name == name) return {&device};
    of_kind.push_back(&device);
    const auto annotated = device.annotations.find(kClass);
    if (annotated != device.annotations.end() && annotated->second == name) of_class.push_back(&device);
  }
  if (name.empty() && !of_kind.empty()) of_kind.resize(1);
  return name.empty() || name == "*" ? of_kind : of_class;
}

[[noreturn]] void throw_unknown(const std::string& name, const Devices& devices,
                                const std::vector<fs::path>& directories) {
  std::vector<std::string> places, names;
  for (const fs::path& directory : directories) places.push_back(directory.native());
  for (const auto& [known, device] : devices.by_name) names.push_back(known);
  InvalidInput error(concat("the step requires the device \"", name, "\", which no file in ",
                            join(places, " or "), " describes"));
  if (!devices.unread.empty()) {
    error.set_hint(concat("not read: ", join(devices.unread, "; ")));
  } else {
    error.set_hint(names.empty() ? "there is none at all (CDI)" : concat("there are: ", join(names, ", ")));
  }
  throw error;
}

void add_edits(const json& edits, DeviceEdits& to) {
  for (const json& variable : edits.value("env", json::array())) to.env.push_back(variable);
  // Nodes are bound, not made: that works without privileges, and the host's node is right by itself.
  for (const json& node : edits.value("deviceNodes", json::array())) {
    const std::string path = node.at("path");
    to.mounts.push_back(
        {.source = node.value("hostPath", path), .dest = path, .readonly = false, .devices = true});
  }
  for (const json& mount : edits.value("mounts", json::array())) {
    const auto options = mount.value("options", std::vector<std::string>{});
    to.mounts.push_back({.source = mount.at("hostPath").get<std::string>(),
                         .dest = mount.at("containerPath"),
                         .readonly = std::ranges::find(options, "ro") != options.end()});
  }
  for (const char* unknown : {"hooks", "intelRdt", "netDevices"})
    if (edits.contains(unknown) && !edits.at(unknown).empty())
      throw InvalidInput(concat("it needs \"", unknown, "\", which slipway does not do"));
}

}  // namespace

std::vector<fs::path> DeviceRegistry::standard_directories() { return {"/etc/cdi", "/var/run/cdi"}; }

DeviceEdits DeviceRegistry::edits_for(const std::vector<DeviceRequest>& requests) const {
  const Devices devices = read_devices(directories_);
  DeviceEdits edits;
  std::set<std::string> done;
  for (const DeviceRequest& request : requests) {
    const auto found = find_devices(devices, request.name);
    if (found.empty() && !request.optional) throw_unknown(request.name, devices, directories_);
    for (const Device* device : found) {
      if (!done.insert(device->full_name()).second) continue;
      try {
        // The file's own edits are for all of its devices, and are made once.
        if (done.insert(device->file.native()).second) add_edits(device->edits.front(), edits);
        add_edits(device->edits.back(), edits);
      } catch (const json::exception& e) {
        throw InvalidInput(concat("the device ", device->full_name(), " (", device->file.native(),
                                  "): ", std::string_view(e.what())));
      } catch (InvalidInput& e) {
        e.add_context(concat("the device ", device->full_name(), " (", device->file.native(), ")"));
        throw;
      }
    }
  }
  return edits;
}

bool DeviceRegistry::is_free_for_all(const std::string& name) const {
  const Devices devices = read_devices(directories_);
  return std::ranges::all_of(find_devices(devices, name), [](const Device* device) {
    const auto annotated = device->annotations.find(kAutoAllow);
    return annotated != device->annotations.end() &&
           (annotated->second == "true" || annotated->second == "1");
  });
}

}  // namespace slipway
