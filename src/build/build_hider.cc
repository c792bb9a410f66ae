#include "build/build_hider.h"

#include "history/step_records.h"

namespace slipway {

Hider hider_of(const BuildRequest& request) {
  Hider hider;
  for (const auto& [id, secret] : request.secrets) hider.add(secret);
  for (const auto& [name, value] : request.build_args) hider.add_variable(name, value);
  return hider;
}

Hider hider_of(const BuildRequest& request, const dockerfile::Lowered& lowered) {
  Hider hider = hider_of(request);
  hide_variables(lowered.graph, values_of_args(lowered), hider);
  return hider;
}

std::map<std::string, std::string> values_of_args(const dockerfile::Lowered& lowered) {
  std::map<std::string, std::string> args;
  for (const dockerfile::StageArgUse& arg : lowered.args)
    args.insert_or_assign(arg.name, arg.value.value_or(""));
  return args;
}

}  // namespace slipway
