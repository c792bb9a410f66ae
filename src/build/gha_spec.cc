#include "build/gha_spec.h"

#include <cstdlib>

#include "base/error.h"
#include "base/strings.h"

namespace slipway {

namespace {

constexpr const char* kHowToExpose =
    "Steps of a run do not see these variables by themselves: before the build, an actions/github-script "
    "step can hand on "
    "ACTIONS_RUNTIME_TOKEN, ACTIONS_RESULTS_URL and ACTIONS_CACHE_SERVICE_V2 with core.exportVariable "
    "(docs/cache.md).";

[[noreturn]] void refuse(std::string message, const char* hint) {
  UsageError error(std::move(message));
  error.set_hint(hint);
  throw error;
}

std::string variable(const char* name) {
  const char* set = std::getenv(name);
  return set ? set : "";
}

std::optional<double> seconds_of_unit(std::string_view unit) {
  if (unit == "h") return 3600;
  if (unit == "m") return 60;
  if (unit == "s") return 1;
  if (unit == "ms") return 0.001;
  return std::nullopt;
}

/// "10m", "1m30s"; nothing for what is no such time.
std::optional<Seconds> parse_time(std::string_view text) {
  double sum = 0;
  std::string_view rest = text;
  while (!rest.empty()) {
    const std::size_t unit = rest.find_first_not_of("0123456789");
    if (unit == std::string_view::npos) return std::nullopt;
    const std::size_t end = std::min(rest.find_first_of("0123456789", unit), rest.size());
    const auto number = parse_unsigned(rest.substr(0, unit));
    const auto factor = seconds_of_unit(rest.substr(unit, end - unit));
    if (!number || !factor) return std::nullopt;
    sum += static_cast<double>(*number) * *factor;
    rest.remove_prefix(end);
  }
  if (text.empty() || sum > 24 * 3600.0) return std::nullopt;
  return Seconds(sum);
}

bool says_yes(const std::string& text) { return to_lower(text) == "true" || text == "1"; }

/// Which version of the service, and where: as BuildKit's clients find out.
void take_address(Attributes& attributes, const char* flag, GhaCache::Options& gha) {
  using Api = GhaCache::Options::Api;
  const std::string version = attributes.take("version");
  if (!version.empty() && version != "1" && version != "2")
    throw UsageError(concat(flag, ": version=", version, " is neither 1 nor 2"));
  const std::string url = attributes.take("url"), url_v2 = attributes.take("url_v2");
  const std::string results = variable("ACTIONS_RESULTS_URL"), caches = variable("ACTIONS_CACHE_URL");
  const bool is_githubs = url.find("results-receiver.actions.githubusercontent.com") != std::string::npos;
  bool is_v1 = !says_yes(variable("ACTIONS_CACHE_SERVICE_V2")) && !caches.empty();
  if (!url.empty()) is_v1 = !is_githubs;
  if (!url_v2.empty()) is_v1 = false;
  if (!version.empty()) is_v1 = version == "1";
  gha.api = is_v1 ? Api::V1 : Api::V2;
  gha.url = is_v1 || url_v2.empty() ? url : url_v2;
  if (gha.url.empty()) gha.url = is_v1 ? caches : results;
}

}  // namespace

GhaCache::Options take_gha(Attributes& attributes, const char* flag) {
  GhaCache::Options gha;
  gha.token = Secret(attributes.take_or_variable("token", {"ACTIONS_RUNTIME_TOKEN"}));
  take_address(attributes, flag, gha);
  if (gha.token.empty())
    refuse(
        concat(flag,
               ": type=gha needs a run of GitHub Actions: there is no token (token=, ACTIONS_RUNTIME_TOKEN)"),
        kHowToExpose);
  if (gha.url.empty())
    refuse(
        concat(flag, ": type=gha does not know the cache service's address (url_v2=, ACTIONS_RESULTS_URL)"),
        kHowToExpose);
  if (!gha.url.starts_with("http://") && !gha.url.starts_with("https://"))
    throw UsageError(concat(flag, ": the cache service's address ", gha.url, " is no http or https address"));
  try {
    gha.scopes = scopes_of_token(gha.token);
  } catch (const InvalidInput& e) {
    refuse(concat(flag, ": the token cannot be used for the cache: ", e.what()),
           "The one needed is ACTIONS_RUNTIME_TOKEN, not GITHUB_TOKEN.");
  }
  if (std::string scope = attributes.take("scope"); !scope.empty()) gha.cache_name = std::move(scope);
  if (const std::string timeout = attributes.take("timeout"); !timeout.empty()) {
    const auto time = parse_time(timeout);
    if (!time) throw UsageError(concat(flag, ": timeout=", timeout, " is no time (10m, 90s; a day at most)"));
    gha.timeout = *time;
  }
  // With these BuildKit lists the keys at once, of which it saves asking for each.
  attributes.take("repository");
  attributes.take("ghtoken");
  return gha;
}

}  // namespace slipway
