package bench;

import ca.uhn.fhir.context.FhirContext;
import ca.uhn.fhir.context.support.DefaultProfileValidationSupport;
import ca.uhn.fhir.validation.FhirValidator;
import ca.uhn.fhir.validation.SingleValidationMessage;
import java.io.BufferedWriter;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.hl7.fhir.common.hapi.validation.support.CommonCodeSystemsTerminologyService;
import org.hl7.fhir.common.hapi.validation.support.InMemoryTerminologyServerValidationSupport;
import org.hl7.fhir.common.hapi.validation.support.PrePopulatedValidationSupport;
import org.hl7.fhir.common.hapi.validation.support.SnapshotGeneratingValidationSupport;
import org.hl7.fhir.common.hapi.validation.support.ValidationSupportChain;
import org.hl7.fhir.common.hapi.validation.validator.FhirInstanceValidator;

/**
 * HL7's validator over files, without a network.
 *
 * <p>validate LIST OUT: for each file named in LIST, tab-separated lines in OUT: file, severity, location, text. Behind a
 * file, after a tab, may stand a folder with the profiles and value sets that are held for it.
 * <p>time LIST ROUNDS OUT: for each file, the CPU microseconds of this thread per validation, the best of ROUNDS.
 */
public final class Validate {
  public static void main(String[] words) throws Exception {
    FhirContext context = FhirContext.forR4();
    List<String> files = Files.readAllLines(Path.of(words[1]));
    if (words[0].equals("time")) {
      time(validator(context, null), files, Integer.parseInt(words[2]), Path.of(words[3]));
      return;
    }
    try (BufferedWriter out = Files.newBufferedWriter(Path.of(words[2]))) {
      String held = "";
      FhirValidator validator = validator(context, null);
      for (String line : files) {
        String[] cells = line.split("\t");
        String file = cells[0];
        if (cells.length > 1 && !cells[1].equals(held)) {
          held = cells[1];
          validator = validator(context, Path.of(held));
        }
        out.write(file + "\tdone\t\t\n");
        try {
          for (SingleValidationMessage one :
              validator.validateWithResult(Files.readString(Path.of(file))).getMessages()) {
            String said = one.getMessage() == null ? "" : one.getMessage().replaceAll("\\s+", " ");
            out.write(file + "\t" + one.getSeverity() + "\t" + one.getLocationString() + "\t" + said + "\n");
          }
        } catch (RuntimeException | StackOverflowError error) {
          out.write(file + "\tERROR\t\tthrows " + error.getClass().getSimpleName() + "\n");
        }
        out.flush();
      }
    }
  }

  private static FhirValidator validator(FhirContext context, Path folder) throws Exception {
    ValidationSupportChain chain =
        new ValidationSupportChain(
            new DefaultProfileValidationSupport(context),
            held(context, folder),
            new CommonCodeSystemsTerminologyService(context),
            new InMemoryTerminologyServerValidationSupport(context),
            new SnapshotGeneratingValidationSupport(context));
    FhirInstanceValidator module = new FhirInstanceValidator(chain);
    module.setAnyExtensionsAllowed(true);
    return context.newValidator().registerValidatorModule(module);
  }

  private static PrePopulatedValidationSupport held(FhirContext context, Path folder) throws Exception {
    PrePopulatedValidationSupport held = new PrePopulatedValidationSupport(context);
    if (folder != null) {
      try (Stream<Path> files = Files.list(folder)) {
        for (Path file : files.sorted().toList()) {
          held.addResource(context.newJsonParser().parseResource(Files.readString(file)));
        }
      }
    }
    return held;
  }

  private static void time(FhirValidator validator, List<String> files, int rounds, Path to) throws Exception {
    ThreadMXBean threads = ManagementFactory.getThreadMXBean();
    try (BufferedWriter out = Files.newBufferedWriter(to)) {
      for (String file : files) {
        String text = Files.readString(Path.of(file));
        long best = Long.MAX_VALUE;
        for (int round = 0; round < rounds; round++) {
          long before = threads.getCurrentThreadCpuTime();
          validator.validateWithResult(text);
          best = Math.min(best, threads.getCurrentThreadCpuTime() - before);
        }
        out.write(file + "\t" + best / 1000 + "\n");
      }
    }
  }
}
