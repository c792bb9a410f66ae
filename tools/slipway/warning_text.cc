#include "slipway/warning_text.h"

#include "base/strings.h"

namespace slipway {

std::string warning_text(const Warned& warned) {
  std::string text = warned.rule.empty() ? warned.message : concat(warned.rule, ": ", warned.message);
  if (warned.where) text = concat(position_of(*warned.where), ": ", text, excerpt_of(*warned.where));
  return text;
}

}  // namespace slipway
