import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** Apache Kafka's own client as a producer: java -cp LIB JavaProducer.java BROKERS TOPIC FILE CODEC... sends the file once a codec, under it as tenant. */
public class JavaProducer {
  public static void main(String[] args) throws Exception {
    byte[] value = Files.readAllBytes(Path.of(args[2]));
    for (int i = 3; i < args.length; i++) {
      Map<String, Object> options = Map.of("bootstrap.servers", args[0], "compression.type", args[i], "linger.ms", 50);
      try (var producer = new KafkaProducer<>(options, new ByteArraySerializer(), new ByteArraySerializer())) {
        // Two in a batch, so that there is something to compress.
        for (int repeat = 0; repeat < 2; repeat++) {
          var record = new ProducerRecord<byte[], byte[]>(args[1], 0, null, value);
          record.headers().add("tenant", args[i].getBytes());
          producer.send(record);
        }
        producer.flush();
      }
    }
  }
}
