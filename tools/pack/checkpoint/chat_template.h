/* chat_template.h - the chat template of a checkpoint becomes the section chat (docs/model-contents.md). */
#ifndef TFM_TOOLS_PACK_CHECKPOINT_CHAT_TEMPLATE_H
#define TFM_TOOLS_PACK_CHECKPOINT_CHAT_TEMPLATE_H

#include "checkpoint.h"
#include "tools/pack/common/pack_options.h"

/*
 * Writes the section if there is a template: in the file at path if that is not NULL, else in the checkpoint itself,
 * else in chat_template.jinja, tokenizer_config.json or chat_template.json of its folder. What the template has that
 * rendering does not know is told as a note.
 */
tfm_status tfm_pack_chat_template(const tfm_checkpoint *checkpoint, const char *path, tfm_writer *writer,
                                  const tfm_pack_options *options, tfm_error *error);

#endif
