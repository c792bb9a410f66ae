#pragma once
// Parser directives: "# escape=`" and the like, before anything else in the file.
#include "dockerfile/ast.h"

namespace slipway::dockerfile {

/// Reads the directives at the top of file.lines into `file`. Throws InvalidInput for one given twice and for
/// an escape character that is neither \ nor `.
void read_directives(Dockerfile& file);

}  // namespace slipway::dockerfile
