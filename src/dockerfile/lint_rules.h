#pragma once
// The rules that a Dockerfile is checked by. Names are those of BuildKit's build checks, as Dockerfiles and
// tools refer to them; docs/dockerfile-checks.md explains each.
#include <array>
#include <string_view>

namespace slipway::dockerfile {

struct LintRule {
  std::string_view name;
  std::string_view description;  ///< what the rule asks for, whatever was found
  bool experimental = false;     ///< off unless asked for by "experimental="
};

/// Compared by address: there is one object a rule.
namespace rules {

inline constexpr LintRule kConsistentInstructionCasing{
    "ConsistentInstructionCasing", "Instructions are written all in upper or all in lower case"};
inline constexpr LintRule kCopyIgnoredFile{
    "CopyIgnoredFile", "COPY and ADD name files that .dockerignore leaves in the context"};
inline constexpr LintRule kDuplicateStageName{"DuplicateStageName", "Each stage has a name of its own"};
inline constexpr LintRule kExposeInvalidFormat{"ExposeInvalidFormat",
                                               "EXPOSE names ports, without addresses or host ports"};
inline constexpr LintRule kExposeProtoCasing{"ExposeProtoCasing",
                                             "Protocols in EXPOSE are written in lower case"};
inline constexpr LintRule kFromAsCasing{"FromAsCasing", "AS is written in the case of its FROM"};
inline constexpr LintRule kFromPlatformFlagConstDisallowed{
    "FromPlatformFlagConstDisallowed", "FROM --platform takes a variable, not a fixed platform"};
inline constexpr LintRule kInvalidBaseImagePlatform{"InvalidBaseImagePlatform",
                                                    "Base images are of the platform that is built for"};
inline constexpr LintRule kInvalidDefaultArgInFrom{"InvalidDefaultArgInFrom",
                                                   "With the defaults of its ARGs, FROM names an image"};
inline constexpr LintRule kInvalidDefinitionDescription{
    "InvalidDefinitionDescription",
    "A comment right above ARG or FROM describes it, as \"# NAME description\"; any other stands apart by an "
    "empty line",
    true};
inline constexpr LintRule kJsonArgsRecommended{
    "JSONArgsRecommended", "CMD and ENTRYPOINT take the JSON form, so that signals reach the program"};
inline constexpr LintRule kLegacyKeyValueFormat{"LegacyKeyValueFormat",
                                                "ENV and LABEL are written NAME=VALUE"};
inline constexpr LintRule kMaintainerDeprecated{"MaintainerDeprecated",
                                                "Authors are named by a label, not by MAINTAINER"};
inline constexpr LintRule kMultipleInstructionsDisallowed{
    "MultipleInstructionsDisallowed", "CMD, ENTRYPOINT and HEALTHCHECK stand once in a stage"};
inline constexpr LintRule kNoEmptyContinuation{"NoEmptyContinuation",
                                               "No empty line stands within a continued instruction"};
inline constexpr LintRule kRedundantTargetPlatform{
    "RedundantTargetPlatform", "FROM does without --platform=$TARGETPLATFORM, which is the default"};
inline constexpr LintRule kReservedStageName{"ReservedStageName",
                                             "Stages are not named \"scratch\" or \"context\""};
inline constexpr LintRule kSecretsUsedInArgOrEnv{"SecretsUsedInArgOrEnv",
                                                 "ARG and ENV, which everyone can read, hold no secrets"};
inline constexpr LintRule kStageNameCasing{"StageNameCasing", "Stage names are written in lower case"};
inline constexpr LintRule kUndefinedArgInFrom{"UndefinedArgInFrom",
                                              "FROM uses ARGs that are declared before the first FROM"};
inline constexpr LintRule kUndefinedVar{"UndefinedVar", "Variables are defined before they are used"};
inline constexpr LintRule kWorkdirRelativePath{
    "WorkdirRelativePath", "The first WORKDIR is absolute, so that it does not depend on the base image"};

inline constexpr std::array<const LintRule*, 22> kAll = {&kConsistentInstructionCasing,
                                                         &kCopyIgnoredFile,
                                                         &kDuplicateStageName,
                                                         &kExposeInvalidFormat,
                                                         &kExposeProtoCasing,
                                                         &kFromAsCasing,
                                                         &kFromPlatformFlagConstDisallowed,
                                                         &kInvalidBaseImagePlatform,
                                                         &kInvalidDefaultArgInFrom,
                                                         &kInvalidDefinitionDescription,
                                                         &kJsonArgsRecommended,
                                                         &kLegacyKeyValueFormat,
                                                         &kMaintainerDeprecated,
                                                         &kMultipleInstructionsDisallowed,
                                                         &kNoEmptyContinuation,
                                                         &kRedundantTargetPlatform,
                                                         &kReservedStageName,
                                                         &kSecretsUsedInArgOrEnv,
                                                         &kStageNameCasing,
                                                         &kUndefinedArgInFrom,
                                                         &kUndefinedVar,
                                                         &kWorkdirRelativePath};

}  // namespace rules

}  // namespace slipway::dockerfile
