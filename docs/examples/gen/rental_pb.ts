// What protoc-gen-es makes of rental.proto.
import type { Message } from '@bufbuild/protobuf'
import { fileDesc, messageDesc, type GenFile, type GenMessage } from '@bufbuild/protobuf/codegenv2'

export const file_rental: GenFile = fileDesc(
  'CgxyZW50YWwucHJvdG8SBnJlbnRhbCJQCgZCb29rZWQSGwoJcmVudGFsX2lkGAEgASgJUghyZW50YWxJZBIVCgZza2lfaWQYAiABKAlSBXNraUlkEhIKBGRheXMYAyABKAVSBGRheXNiBnByb3RvMw',
)

export type Booked = Message<'rental.Booked'> & {
  rentalId: string
  skiId: string
  days: number
}

export const BookedSchema: GenMessage<Booked> = messageDesc(file_rental, 0)
