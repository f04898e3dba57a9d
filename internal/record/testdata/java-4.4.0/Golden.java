import java.nio.*; import java.nio.file.*; import java.util.*;
import org.apache.kafka.common.record.internal.*;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.compress.*;
import org.apache.kafka.common.header.*; import org.apache.kafka.common.header.internals.*;
public class Golden {
  static SimpleRecord[] recs() {
    List<SimpleRecord> l = new ArrayList<>();
    l.add(new SimpleRecord(1700000000000L, "key-0".getBytes(), "野猪套天下第一".getBytes(java.nio.charset.StandardCharsets.UTF_8)));
    l.add(new SimpleRecord(1700000000005L, null, "test".getBytes()));
    l.add(new SimpleRecord(1700000000003L, "key-2".getBytes(), null));
    l.add(new SimpleRecord(1700000000001L, new byte[0], new byte[0], new Header[]{ new RecordHeader("trace", "abc".getBytes()), new RecordHeader("none", (byte[])null), new RecordHeader("", new byte[0]) }));
    byte[] big = new byte[100000]; for (int i=0;i<big.length;i++) big[i]=(byte)(i*31+(i>>8)*7);
    l.add(new SimpleRecord(1700000000010L, "big".getBytes(), big));
    for (int i=0;i<500;i++) l.add(new SimpleRecord(1700000000010L+i, ("k"+i).getBytes(), ("value number "+i).getBytes()));
    return l.toArray(new SimpleRecord[0]);
  }
  static void w(String n, MemoryRecords r) throws Exception { ByteBuffer b=r.buffer(); byte[] a=new byte[b.remaining()]; b.duplicate().get(a); Files.write(Paths.get(n), a); System.out.println(n+" "+a.length); }
  public static void main(String[] a) throws Exception {
    w("plain.batch", MemoryRecords.withRecords(Compression.NONE, recs()));
    w("gzip.batch", MemoryRecords.withRecords(Compression.gzip().build(), recs()));
    w("snappy.batch", MemoryRecords.withRecords(Compression.snappy().build(), recs()));
    w("lz4.batch", MemoryRecords.withRecords(Compression.lz4().build(), recs()));
    w("lz4-hc.batch", MemoryRecords.withRecords(Compression.lz4().level(17).build(), recs()));
    w("zstd.batch", MemoryRecords.withRecords(Compression.zstd().build(), recs()));
    w("zstd-22.batch", MemoryRecords.withRecords(Compression.zstd().level(22).build(), recs()));
    SimpleRecord[] three = Arrays.copyOf(recs(), 3);
    w("idempotent.batch", MemoryRecords.withIdempotentRecords(100L, Compression.NONE, 4711L, (short)3, 42, 7, three));
    w("transactional.batch", MemoryRecords.withTransactionalRecords(100L, Compression.NONE, 4711L, (short)3, 42, 7, three));
    w("commit.batch", MemoryRecords.withEndTransactionMarker(103L, 1700000000020L, 7, 4711L, (short)3, new EndTransactionMarker(ControlRecordType.COMMIT, 5)));
    w("abort.batch", MemoryRecords.withEndTransactionMarker(103L, 1700000000020L, 7, 4711L, (short)3, new EndTransactionMarker(ControlRecordType.ABORT, 5)));
    MemoryRecordsBuilder mb = MemoryRecords.builder(ByteBuffer.allocate(1000), RecordBatch.MAGIC_VALUE_V2, Compression.NONE, TimestampType.LOG_APPEND_TIME, 9L, 1700000000999L);
    for (SimpleRecord r: three) mb.append(r);
    w("append-time.batch", mb.build());
    ByteBuffer e = ByteBuffer.allocate(61);
    DefaultRecordBatch.writeEmptyHeader(e, RecordBatch.MAGIC_VALUE_V2, 4711L, (short)3, 42, 100L, 102L, 7, TimestampType.CREATE_TIME, 1700000000005L, true, false);
    Files.write(Paths.get("empty.batch"), e.array());
    ByteBuffer m1 = ByteBuffer.allocate(1000);
    MemoryRecordsBuilder b1 = MemoryRecords.builder(m1, RecordBatch.MAGIC_VALUE_V1, Compression.NONE, TimestampType.CREATE_TIME, 0L);
    for (SimpleRecord r: three) b1.append(new SimpleRecord(r.timestamp(), r.key(), r.value()));
    w("magic1.batch", b1.build());
  }
}
