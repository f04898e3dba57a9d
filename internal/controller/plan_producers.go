package controller

import "barnabas/internal/metadata"

// producerBlock is how many producer ids a broker takes at a time, as in Kafka.
const producerBlock = 1000

func planProducerIDs(s *state) (ProducerIDBlock, changes) {
	block := ProducerIDBlock{First: s.img.NextProducerID(), Count: producerBlock}
	var made changes
	made.add(metadata.Put(metadata.ProducersKey(), metadata.EncodeProducers(block.First+producerBlock)))
	return block, made
}
