#include "graph/op_name.h"

#include "base/strings.h"

namespace slipway {

namespace {

struct Describe {
  std::string operator()(const SourceOp& source) const { return source.identifier; }
  std::string operator()(const ExecOp& exec) const { return join(exec.args, " "); }
  std::string operator()(const FileOp& file) const {
    std::vector<std::string> actions;
    for (const FileAction& action : file.actions) actions.push_back(std::visit(*this, action));
    return join(actions, ", ");
  }
  std::string operator()(const MergeOp&) const { return "merge"; }
  std::string operator()(const DiffOp&) const { return "diff"; }

  std::string operator()(const CopyAction& copy) const {
    return concat("copy ", copy.src, " to ", copy.dest);
  }
  std::string operator()(const MkdirAction& mkdir) const { return concat("mkdir ", mkdir.path); }
  std::string operator()(const MkfileAction& mkfile) const { return concat("mkfile ", mkfile.path); }
  std::string operator()(const RmAction& rm) const { return concat("rm ", rm.path); }
  std::string operator()(const SymlinkAction& link) const {
    return concat("symlink ", link.path, " to ", link.target);
  }
};

}  // namespace

std::string describe_op(const Op& op) {
  constexpr std::size_t kLongest = 200;
  std::string text = std::visit(Describe{}, op.what);
  if (text.size() > kLongest) text = concat(text.substr(0, kLongest - 3), "...");
  for (char& c : text)
    if (c == '\n' || c == '\r' || c == '\t') c = ' ';
  return text;
}

}  // namespace slipway
