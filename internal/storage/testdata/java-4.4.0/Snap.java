import java.io.*; import java.util.*;
import org.apache.kafka.storage.internals.log.*;
public class Snap {
  public static void main(String[] a) throws Exception {
    if (a.length > 1) { for (ProducerStateEntry e : ProducerStateManager.readSnapshot(new File(a[1]))) System.out.println(e); return; }
    Map<Long, ProducerStateEntry> m = new TreeMap<>();
    ProducerStateEntry one = new ProducerStateEntry(1L, (short)3, 7, 1700000000000L, OptionalLong.of(95L));
    var add = ProducerStateEntry.class.getDeclaredMethod("addBatch", short.class, int.class, long.class, int.class, long.class); add.setAccessible(true);
    add.invoke(one, (short)3, 41, 99L, 4, 1700000000000L);
    m.put(1L, one);
    m.put(4711L, new ProducerStateEntry(4711L, (short)0, -1, -1L, OptionalLong.empty()));
    ProducerStateManager.writeSnapshot(new File(a[0]), m, true);
  }
}
