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
import org.hl7.fhir.common.hapi.validation.support.CommonCodeSystemsTerminologyService;
import org.hl7.fhir.common.hapi.validation.support.InMemoryTerminologyServerValidationSupport;
import org.hl7.fhir.common.hapi.validation.support.SnapshotGeneratingValidationSupport;
import org.hl7.fhir.common.hapi.validation.support.ValidationSupportChain;
import org.hl7.fhir.common.hapi.validation.validator.FhirInstanceValidator;

/**
 * HL7's validator over files, without a network.
 *
 * <p>validate LIST OUT: for each file named in LIST, tab-separated lines in OUT: file, severity, location, text.
 * <p>time LIST ROUNDS OUT: for each file, the CPU microseconds of this thread per validation, the best of ROUNDS.
 */
public final class Validate {
  public static void main(String[] words) throws Exception {
    FhirContext context = FhirContext.forR4();
    ValidationSupportChain chain =
        new ValidationSupportChain(
            new DefaultProfileValidationSupport(context),
            new CommonCodeSystemsTerminologyService(context),
            new InMemoryTerminologyServerValidationSupport(context),
            new SnapshotGeneratingValidationSupport(context));
    FhirInstanceValidator module = new FhirInstanceValidator(chain);
    module.setAnyExtensionsAllowed(true);
    FhirValidator validator = context.newValidator().registerValidatorModule(module);
    List<String> files = Files.readAllLines(Path.of(words[1]));
    if (words[0].equals("time")) {
      time(validator, files, Integer.parseInt(words[2]), Path.of(words[3]));
      return;
    }
    try (BufferedWriter out = Files.newBufferedWriter(Path.of(words[2]))) {
      for (String file : files) {
        out.write(file + "\tdone\t\t\n");
        try {
          for (SingleValidationMessage one :
              validator.validateWithResult(Files.readString(Path.of(file))).getMessages()) {
            String said = one.getMessage() == null ? "" : one.getMessage().replaceAll("\\s+", " ");
            out.write(file + "\t" + one.getSeverity() + "\t" + one.getLocationString() + "\t" + said + "\n");
          }
        } catch (RuntimeException error) {
          out.write(file + "\tERROR\t\tthrows " + error.getClass().getSimpleName() + "\n");
        }
        out.flush();
      }
    }
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
